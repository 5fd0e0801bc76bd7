package creds

// Report is what the job log shows of a credential beside its end: a table, and
// sentences below it. No secret is in it.
type Report struct {
	Rows  []Row
	Notes []string
}

// Row is a line of a Report. One without a value is not shown.
type Row struct {
	Label string // such as region
	Value string
}
