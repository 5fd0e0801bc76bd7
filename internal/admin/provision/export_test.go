package provision

import "time"

// TakeFor is Take for another time.
func TakeFor(wait time.Duration) (Turn, error) { return takeFor(wait) }
