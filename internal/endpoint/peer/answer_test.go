package peer_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/endpoint/peer"
	"rolecall/test/kit"
)

// message returns a message of the kernel, with what follows its header.
func message(kind uint16, sequence uint32, body ...byte) []byte {
	text := make([]byte, unix.SizeofNlMsghdr)
	binary.NativeEndian.PutUint16(text[4:], kind)
	binary.NativeEndian.PutUint32(text[8:], sequence)
	return append(text, body...)
}

// found returns the body of an answer that names a uid.
func found(uid uint32) []byte { return binary.NativeEndian.AppendUint32(make([]byte, 64), uid) }

// TestAnswers: only the answer to the request says who a client is. One that is too short, or of
// another kind, says nothing, and is an error.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const kind = 20 // SOCK_DIAG_BY_FAMILY
	denied := binary.NativeEndian.AppendUint32(nil, ^uint32(unix.EPERM)+1)
	for name, test := range map[string]struct {
		answer []byte
		mine   bool
		uid    uint32
		err    error // nil with mine: any, unless there is a uid
	}{
		"the answer":            {message(kind, 7, found(1000)...), true, 1000, nil},
		"of another request":    {message(kind, 6, found(1000)...), false, 0, nil},
		"nothing":               {nil, false, 0, nil},
		"half a header":         {message(kind, 7)[:12], false, 0, nil},
		"an error":              {message(unix.NLMSG_ERROR, 7, denied...), true, 0, unix.EPERM},
		"an acknowledgement":    {message(unix.NLMSG_ERROR, 7, 0, 0, 0, 0), true, 0, nil},
		"half an error":         {message(unix.NLMSG_ERROR, 7, denied[:3]...), true, 0, nil},
		"an answer without uid": {message(kind, 7, found(1000)[:67]...), true, 0, nil},
		"an answer of nothing":  {message(kind, 7), true, 0, nil},
		"the end of answers":    {message(unix.NLMSG_DONE, 7, found(1000)...), true, 0, nil},
	} {
		uid, mine, err := peer.Parse(test.answer, 7)
		if uid != test.uid || mine != test.mine || test.err != nil && !errors.Is(err, test.err) || test.mine && (err == nil) != (uid != 0) {
			t.Errorf("%s: %d, %v, %v", name, uid, mine, err)
		}
	}
}

// newPair returns a Lookup whose kernel is the test, which writes to the other end.
func newPair(t *testing.T) (*peer.Lookup, int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	kit.Must(t, err)
	t.Cleanup(func() { _ = errors.Join(unix.Close(pair[0]), unix.Close(pair[1])) })
	l, err := peer.New(pair[0])
	kit.Must(t, err)
	return l, pair[1]
}

// TestLateAnswer: the late answer to an earlier request says nothing of a later one.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	lookup, kernel := newPair(t)
	for _, answer := range [][]byte{message(20, 1, found(1000)...), nil, message(20, 2, found(2000)...)} {
		_, err := unix.Write(kernel, answer)
		kit.Must(t, err)
	}
	if uid, err := lookup.Receive(2); err != nil || uid != 2000 {
		t.Errorf("%d, %v, want 2000", uid, err)
	}
}

// TestNoAnswer: a kernel that does not answer holds up nobody for long.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	lookup, _ := newPair(t)
	ended := make(chan error, 1)
	go func() {
		_, err := lookup.Receive(1)
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("%v, want the end of the time", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits for ever")
	}
}

// TestNoSocket: what is no socket tells of nobody.
func TestNoSocket(t *testing.T) {
	t.Parallel()
	if l, err := peer.New(-1); err == nil {
		t.Errorf("%+v of no socket", l)
	}
	lookup, _ := newPair(t) // no socket of NETLINK_SOCK_DIAG
	client, own := addresses(t, connect(t))
	for name, asked := range map[string]netip.AddrPort{"another socket": client, "no address": {}} {
		if uid, err := lookup.UID(asked, own); err == nil {
			t.Errorf("%s: uid %d", name, uid)
		}
	}
}
