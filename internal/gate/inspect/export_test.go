package inspect

import "rolecall/internal/gate"

// Restrain sets the limits of a job on this process.
var Restrain = restrain

// Shred overwrites and removes a file.
var Shred = shred

// RemoveUpload removes a file that would be uploaded from the work tree at project.
func RemoveUpload(project, name string) error {
	return removeBelow(project, name)
}

// RemoveFound removes a file that was found at path.
func RemoveFound(path string) error {
	return (&leavings{removed: map[string]bool{}}).remove(gate.Place{Name: path})
}
