package script_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/test/kit"
)

// terminate sends SIGTERM only to the driver, which ends its context.
func (d *driver) terminate(t *testing.T) {
	t.Helper()
	kit.Must(t, d.Process.Signal(syscall.SIGTERM))
}

// TestTermReachesTheGroup: a child that bash waits for gets SIGTERM and the time to
// end. The trap is the one of the runner's scripts.
func TestTermReachesTheGroup(t *testing.T) {
	t.Parallel()
	d := newDriver(t, `trap 'exit 1' TERM
sh -c 'trap "sleep 0.3; echo in order; exit 0" TERM; : >ready; while :; do sleep 0.02; done'
echo not reached
`)
	d.start(t)
	d.await(t, "ready")
	d.terminate(t)
	if r := d.end(t)[0]; r.Code != 1 || r.Err != "" {
		t.Errorf("code %d, error %q, want the 1 of the trap", r.Code, r.Err)
	}
	if got := d.stdout.String(); got != "in order\n" {
		t.Errorf("output %q, want that of the child's own trap", got)
	}
}

// TestTermWithoutTrap: without a trap bash dies of the signal.
func TestTermWithoutTrap(t *testing.T) {
	t.Parallel()
	d := newDriver(t, ": >ready\nsleep 100\n")
	d.start(t)
	d.await(t, "ready")
	d.terminate(t)
	if r := d.end(t)[0]; r.Code != 143 || r.Err != "" || r.Took > 5*time.Second {
		t.Errorf("code %d, error %q after %v, want 143 at once", r.Code, r.Err, r.Took)
	}
}

// TestKilledAfterGrace: a process that ignores SIGTERM, or is stopped, is killed after
// the grace and not before.
func TestKilledAfterGrace(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"ignored":      "trap '' TERM\n: >ready\nsleep 100\n",
		"a deaf child": "trap 'exit 1' TERM\nsh -c 'trap \"\" TERM; : >ready; while :; do sleep 100; done'\n",
		"stopped":      "trap '' TERM\n: >ready\nkill -STOP $$\nsleep 100\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(t, text)
			d.orders.Grace = 600 * time.Millisecond
			d.start(t)
			d.await(t, "ready")
			begin := time.Now()
			d.terminate(t)
			r := d.end(t)[0]
			took := time.Since(begin)
			if r.Code != 137 || r.Err != "" {
				t.Errorf("code %d, error %q, want 137", r.Code, r.Err)
			}
			if took < 600*time.Millisecond || took > 5*time.Second {
				t.Errorf("it took %v, the grace is 600ms", took)
			}
		})
	}
}

// TestContextThatHasEnded: the script gets no time to do anything.
func TestContextThatHasEnded(t *testing.T) {
	t.Parallel()
	d := newDriver(t, "sleep 100\n")
	d.orders.Cancel = true
	d.start(t)
	if r := d.end(t)[0]; r.Code != 143 || r.Err != "" || r.Took > 5*time.Second {
		t.Errorf("code %d, error %q after %v, want 143 at once", r.Code, r.Err, r.Took)
	}
}

// TestNothingIsLeft: when bash ends, all processes of the script are killed, and Run
// does not wait for them. The driver checks this in its method end.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"holds stdout":        "sleep 1000 &\n",
		"many":                "for i in {1..40}; do sleep 1000 & done\n",
		"setsid":              "setsid sleep 1000 & setsid -f sleep 1000\n",
		"double fork":         "( (sleep 1000 &) & ) ; setsid sh -c '(setsid sleep 1000 &) &'\n",
		"deaf daemon":         "setsid -f sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1000; done'; sleep 0.1\n",
		"nohup":               "nohup sleep 1000 >/dev/null 2>&1 & disown -a\n",
		"silent daemon":       "setsid -f sleep 1000 </dev/null >/dev/null 2>&1\n",
		"stopped":             "sleep 1000 & kill -STOP $!\n",
		"a tree":              "sh -c 'sh -c \"sh -c \\\"sleep 1000\\\" & sleep 1000\" & sleep 1000' & sleep 0.1\n",
		"odd process name":    "cp $(command -v sleep) 'x) R 1 1 (y'; './x) R 1 1 (y' 1000 & \n",
		"other process group": "set -m\nsleep 1000 &\nset +m\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, r := run(t, text+"echo done\nexit 3\n")
			if r.Code != 3 || d.stdout.String() != "done\n" {
				t.Errorf("code %d, output %s%s", r.Code, &d.stdout, &d.stderr)
			}
			if r.Took > 4*time.Second {
				t.Errorf("Run took %v", r.Took)
			}
			if alive := kit.Marked(d.orders.Env[0]); len(alive) > 0 {
				t.Errorf("the driver has gone, these live: %v", alive)
			}
		})
	}
}

// TestChainOfDaemons: each process of a chain starts the next one in a new session and
// dies, until all are killed or the chain ends.
func TestChainOfDaemons(t *testing.T) {
	t.Parallel()
	d := newDriver(t, "./chain 400\nexit 0\n")
	chain := "#!/bin/sh\n[ $1 -gt 0 ] || exit 0\nsleep 0.005\nsetsid -f ./chain $(($1 - 1))\n"
	kit.Must(t, os.WriteFile(d.file("chain"), []byte(chain), 0o700))
	d.start(t)
	if r := d.end(t)[0]; r.Code != 0 || r.Took > 3*time.Second {
		t.Errorf("code %d after %v", r.Code, r.Took)
	}
	time.Sleep(50 * time.Millisecond)
	if alive := kit.Marked(d.orders.Env[0]); len(alive) > 0 {
		t.Errorf("these live: %v", alive)
	}
}

// TestDriverIsKilled: no process can clean up then, but bash does not go on.
func TestDriverIsKilled(t *testing.T) {
	t.Parallel()
	newDriver(t, untilKilled).dieBeforeBash(t)
}

// untilKilled is a script that writes its process id to the file pid and waits.
const untilKilled = "echo $$ >pid.new; mv pid.new pid\nsleep 100\n"

// dieBeforeBash kills the driver and waits until bash, which runs untilKilled, is dead.
func (d *driver) dieBeforeBash(t *testing.T) {
	t.Helper()
	d.start(t)
	d.await(t, "pid")
	content, err := os.ReadFile(d.file("pid"))
	kit.Must(t, err)
	bash := filepath.Join("/proc", strings.TrimSpace(string(content)), "exe")
	if _, err := os.Readlink(bash); err != nil {
		t.Fatal(err)
	}
	kit.Must(t, d.Process.Kill())
	kit.Await(t, "bash dies", func() bool { _, err := os.Readlink(bash); return err != nil })
	kit.KillMarked(d.orders.Env[0])
	_ = d.Wait()
}

// TestSession: the script leads its session and process group, and has no terminal.
func TestSession(t *testing.T) {
	t.Parallel()
	d, _ := run(t, `read -r pid comm state parent group session terminal rest </proc/$$/stat
echo "$(($$ == pid)) $(($$ == group)) $(($$ == session)) $terminal $parent"
{ : </dev/tty; } 2>/dev/null && echo a terminal
`)
	want := "1 1 1 0 " + strconv.Itoa(d.Process.Pid) + "\n"
	if got := d.stdout.String(); got != want {
		t.Errorf("process, group and session %q, want %q", got, want)
	}
}

// TestJobHasEnded: a script whose job has ended does not start, and one that runs then has
// no grace when it is stopped.
func TestJobHasEnded(t *testing.T) {
	t.Parallel()
	before := newDriver(t, ": > ready\n")
	before.orders.Ended = before.orders.Dir
	before.start(t)
	if r := before.end(t)[0]; !strings.HasSuffix(r.Err, ": the job has ended") || exists(filepath.Join(before.orders.Dir, "ready")) {
		t.Errorf("code %d, error %q, want an error and no script", r.Code, r.Err)
	}
	d := newDriver(t, "trap '' TERM\n: >ready\nsleep 100\n")
	d.orders.Ended = filepath.Join(d.orders.Dir, "ended")
	d.start(t)
	d.await(t, "ready")
	kit.Must(t, os.WriteFile(d.orders.Ended, nil, 0o600))
	d.terminate(t)
	if r := d.end(t)[0]; r.Code != 137 || r.Err != "" || r.Took >= d.orders.Grace {
		t.Errorf("code %d, error %q after %v, want 137 before the grace ends", r.Code, r.Err, r.Took)
	}
}
