// Command packages makes the packages of the driver, for all architectures, with their sums and
// a signature.
//
//	packages --root .. --dist dist [--key FILE] [--only amd64/deb]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var r release
	flag.StringVar(&r.root, "root", "..", "folder of the sources")
	flag.StringVar(&r.dist, "dist", "../dist", "folder of the packages; what is in it is removed")
	flag.StringVar(&r.key, "key", "", "secret key of releases, armored; without it the key of tests signs")
	flag.StringVar(&r.only, "only", "", "make only the packages of one architecture and format, such as amd64/deb, and sign nothing")
	flag.Parse()
	if err := r.make(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}
