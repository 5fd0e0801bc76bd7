// Command pages writes what make install takes beside the programs: manual pages, completions,
// the changelog and the licences of what is linked.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"rolecall/internal/version"
	"rolecall/packaging/tree"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root := flag.String("root", "..", "folder of the sources, with the programs in bin")
	flag.Parse()
	if err := write(ctx, *root, *root+"/bin/pages"); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

// write writes all below a folder that stands for the root of a host.
func write(ctx context.Context, root, folder string) error {
	parts, err := tree.Make(ctx, root, root+"/bin", version.Version, time.Now())
	if err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return tree.Made(parts).Install(folder, time.Time{})
}
