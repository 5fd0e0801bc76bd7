package sweep

import "io"

// Report reports an error as Serve does.
func (p Parts) Report(err error, stderr io.Writer) bool { return p.report(err, stderr) }
