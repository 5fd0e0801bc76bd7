// Command crash crashes in the way that its argument names.
package main

import (
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	_ "rolecall/internal/crash"
	"rolecall/internal/process"
)

func main() { process.Exit(serve) }

// serve crashes. The runtime may take a moment for it.
func serve(args, _ []string, _ io.Reader, _, _ io.Writer) int {
	crashes()[args[0]]()
	time.Sleep(10 * time.Second)
	return 0
}

// crashes are ways to crash. Each may return before it has.
func crashes() map[string]func() {
	return map[string]func(){
		"panic": func() { go func() { panic("a-secret") }() },
		"nil":   func() { go func() { var p *int; *p = 1 }() },
		"map": func() {
			shared := map[int]int{}
			for range 8 {
				go func() {
					for {
						shared[1] = 1
					}
				}()
			}
		},
		"memory": func() {
			limit := &syscall.Rlimit{Cur: 1 << 28, Max: 1 << 28}
			_ = syscall.Setrlimit(syscall.RLIMIT_AS, limit)
			_ = strings.Repeat("x", 1<<32)
		},
		"threads": func() {
			debug.SetMaxThreads(8)
			for range 20 {
				go block()
			}
		},
		"stack": func() { debug.SetMaxStack(1 << 16); deeper(0) },
		"quit":  func() { _ = syscall.Kill(os.Getpid(), syscall.SIGQUIT) },
		"start": func() {},
		"piece": func() { text := "panic: "; print(text[:5]); os.Exit(0) }, // the runtime prints a piece that is shorter than what it is compared with
	}
}

// block keeps a thread.
func block() {
	var pipe [2]int
	_ = syscall.Pipe(pipe[:])
	_, _ = syscall.Read(pipe[0], make([]byte, 1))
}

// deeper calls itself until the stack is too large.
func deeper(n int) int { return deeper(n+1) + 1 }
