// Package metrics counts what the audit log says of jobs, and writes the counts to a file that
// node_exporter reads. No process stays for that: programs that end jobs count the lines that
// were written since the last of them did so. The counts lie beside the log.
//
// https://github.com/prometheus/node_exporter#textfile-collector
package metrics

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"rolecall/internal/adminfile"
	"rolecall/internal/audit/reading"
	"rolecall/internal/suspension"
	"rolecall/internal/version"
)

// pause is how long an Update that is not Full leaves the file as it is.
const pause = 15 * time.Second

// Bounds of the bytes of the log that are read at once: cleanup must not take long. The rest is
// read the next time.
const (
	fewBytes  = 1 << 20
	manyBytes = 32 << 20
)

// Update is what a program knows when it brings the file up to date.
type Update struct {
	Log  string // path of the audit log
	File string // path of the file of metrics; empty: there is none

	// Full reads much of the log, and always. An Update that is not Full does nothing if there
	// was one in the last 15 seconds.
	Full bool

	Sessions int       // jobs on this host that have credentials now
	Keys     time.Time // when the keys of the issuer were fetched; zero: it is not known
	Swept    time.Time // when a sweep has ended; zero: this is none

	Suspended suspension.List // tenants, also those whose suspension has ended by itself
}

// Due reports whether Do would do something.
func (u Update) Due() bool {
	if u.File == "" || u.Log == "" {
		return false
	}
	info, err := os.Stat(u.state())
	if u.Full || err != nil {
		return true
	}
	age := time.Since(info.ModTime())
	return age < 0 || age >= pause
}

// state is the path of the file of counts, beside the log.
func (u Update) state() string { return u.Log + ".metrics" }

// Do counts the new lines of the log and writes the file. If another process does so right now,
// Do leaves it to that process, or waits for it if the Update is Full. An error changes no count: what was not counted is counted the
// next time.
func (u Update) Do() error {
	if !u.Due() {
		return nil
	}
	err := adminfile.Check(filepath.Dir(u.Log))
	if err == nil {
		err = u.alone()
	}
	if err != nil {
		return fmt.Errorf("metrics_file %s is not up to date: %w", u.File, err)
	}
	return nil
}

// alone does what Do does, unless another process does.
func (u Update) alone() error {
	unlock, err := lock(u.state()+".lock", u.patience())
	if unlock == nil {
		return err
	}
	defer unlock()
	t, err := load(u.state())
	if err != nil {
		t, err = u.anew()
	}
	if err != nil {
		return err
	}
	err = u.read(&t)
	u.note(&t)
	return errors.Join(err, t.keep(u.state()), u.write(t)) // kept first: then no line counts twice
}

// patience is how long Do waits for another process.
func (u Update) patience() time.Duration {
	if u.Full {
		return 2 * time.Second
	}
	return 0
}

// anew returns counts of nothing, at the end of the log: lines that nobody counts are better than
// lines that count twice.
func (u Update) anew() (tally, error) {
	t := tally{Counts: counts{}}
	t.Counts.add("metrics_resets_total", 1)
	var err error
	t.Place, err = reading.End(u.Log)
	return t, err
}

// read counts the new lines of the log. Where its place in the log is lost, it goes on from the
// end.
func (u Update) read(t *tally) error {
	log, err := reading.OpenAt(u.Log, t.Place)
	if err != nil {
		return err
	}
	defer log.Close()
	most := int64(fewBytes)
	if u.Full {
		most = manyBytes
	}
	c := newCounting(t.Counts)
	for e := range log.From(&t.Place, most) {
		c.count(e)
	}
	c.unread(log.Unread())
	if errors.Is(log.Err(), reading.ErrLost) {
		c.add("metrics_resets_total", 1)
		t.Place, err = reading.End(u.Log)
		return err
	}
	return log.Err()
}

// note keeps what only some programs know.
func (u Update) note(t *tally) {
	if !u.Swept.IsZero() {
		t.Swept = u.Swept.Unix()
	}
	if !u.Keys.IsZero() {
		t.Keys = u.Keys.Unix()
	}
}

// write writes the file.
func (u Update) write(t tally) error {
	now := counts{}
	now.add("live_sessions", float64(u.Sessions))
	now.add("build_info", 1, "version", version.Version)
	u.suspensions(now)
	if t.Swept != 0 {
		now.add("last_sweep_timestamp_seconds", float64(t.Swept))
	}
	if t.Keys != 0 {
		now.add("keys_fetched_timestamp_seconds", float64(t.Keys))
	}
	return replace(u.File, text(t.Counts, now), 0o644)
}

// suspensions adds since when tenants are suspended: for each of them the earliest time.
func (u Update) suspensions(now counts) {
	const name = "suspended_timestamp_seconds"
	for _, s := range u.Suspended {
		key := series(name, "tenant", named(s.Tenant))
		if s.All {
			key = series(name, "all", "true")
		}
		if since := float64(s.Since.Unix()); s.Holds(time.Now()) && (now[key] == 0 || since < now[key]) {
			now[key] = since
		}
	}
}
