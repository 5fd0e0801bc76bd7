package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// bareMode is the argument of the process that is a server of net/http alone.
const bareMode = "bare-server"

// startBare starts a server of net/http that answers with a text.
func startBare(ctx context.Context, text string) (url string, stop func(), err error) {
	self, err := exec.LookPath(os.Args[0])
	if err != nil {
		return "", nil, err
	}
	server := exec.CommandContext(ctx, self, bareMode)
	server.Stdin = strings.NewReader(text)
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		return "", nil, err
	}
	var address string
	_, err = fmt.Fscan(out, &address)
	return "http://" + address, func() { _, _ = server.Process.Kill(), server.Wait() }, err
}

// bareServer prints its address, and answers whoever asks with what it reads.
func bareServer() error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(text)
	})}
	return server.Serve(listener)
}
