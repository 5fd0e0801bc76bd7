package admin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/program"
	"rolecall/internal/retention"
	"rolecall/internal/tenant"
)

// patience is how long a store is waited for in which jobs are choosing images.
const patience = time.Minute

// prune removes images from the stores of the policy file's tenants.
func (d call) prune() *cobra.Command {
	order := &retention.Order{Wait: patience}
	var policy *string
	var gone, asJSON *bool
	c := newCommand("prune", "remove images that jobs in containers do not use any more", func() error {
		return d.runPrune(*policy, order, *gone, *asJSON)
	})
	c.Long = `prune removes images from the stores of tenants. An image that a container of a job uses stays.
Say which images: those that were not used for a time, the oldest ones of a store that is too big,
or all of tenants that are gone.`
	c.Example = "  rolecall prune --older-than 168h --dry-run"
	policy, asJSON = policyFlag(c), jsonFlag(c)
	gone = c.Flags().Bool("gone", false, "remove the stores of tenants and trust classes that the policy file does not have any more")
	pruneFlags(c.Flags(), order)
	return c
}

// runPrune removes what order says, and with gone the stores of tenants that are gone.
func (d call) runPrune(file string, order *retention.Order, gone, asJSON bool) error {
	if order.Rule == (retention.Rule{}) && !gone {
		return usageError{errors.New("say what to remove: --older-than, --max-bytes or --gone; with --dry-run nothing is removed")}
	}
	policy, err := d.readPolicy(program.Flags{Config: file})
	if err != nil {
		return err
	}
	if order.Dir = policy.Settings().Containers.Engine.ImagesDir; order.Dir == "" {
		return errors.New(`the policy file has no containers, and so no images; rolecall prune needs engine = "podman" in [containers]`)
	}
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("you are user %d, and only root can remove images: run rolecall prune as root", uid)
	}
	if gone {
		order.Wanted = storesOf(policy)
	}
	done, err := podman.New(host.New()).Prune(context.Background(), *order)
	return errors.Join(d.print(done, pruneTable(done, order.DryRun), asJSON), err)
}

// pruneFlags defines the flags that say what to remove.
func pruneFlags(set *pflag.FlagSet, order *retention.Order) {
	set.Func("older-than", "remove images that no job has used for `DURATION`, such as 168h", func(text string) error {
		age, err := time.ParseDuration(text)
		if err != nil || age <= 0 {
			return errors.New("want a duration above 0, such as 168h")
		}
		order.Rule.Before = time.Now().Add(-age)
		return nil
	})
	set.Func("max-bytes", "remove images, those that were used least recently first, from each store that is bigger than `BYTES`, such as 20GiB", func(text string) (err error) {
		order.Rule.MaxBytes, err = parseBytes(text)
		return err
	})
	set.BoolVar(&order.DryRun, "dry-run", false, "print what would be removed, and remove nothing")
}

// parseBytes reads a number of bytes, such as 20GiB.
func parseBytes(text string) (uint64, error) {
	digits, factor := text, uint64(1)
	for i, unit := range units() {
		if number, ok := strings.CutSuffix(text, unit); ok {
			digits, factor = number, 1<<(10*(i+1))
			break
		}
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || number == 0 || number > 1<<62/factor {
		return 0, errors.New("want a number of bytes above 0, such as 20GiB, 500MiB or 1000000")
	}
	return number * factor, nil
}

// units are the units of bytes, each 1024 of the one before.
func units() []string { return []string{"KiB", "MiB", "GiB", "TiB"} }

// bytesText returns a number of bytes for people.
func bytesText(bytes uint64) string {
	text, value := fmt.Sprintf("%d B", bytes), float64(bytes)
	for _, unit := range units() {
		if value /= 1024; value >= 1 {
			text = fmt.Sprintf("%.1f %s", value, unit)
		}
	}
	return text
}

// folders returns the names of the two stores of a tenant.
func folders(name tenant.Name) []string {
	return []string{tenant.Grant{Tenant: name, Protected: true}.Folder(), tenant.Grant{Tenant: name}.Folder()}
}

// storesOf returns the names of the stores that jobs of the policy file can use.
func storesOf(policy *tenant.Policy) []string {
	stores := folders(tenant.None)
	for _, t := range policy.Tenants() {
		own := folders(t.Name)
		if t.Protected {
			own = own[:1]
		}
		stores = append(stores, own...)
	}
	return stores
}

// pruneTable returns what was removed, or would be, and how much that is.
func pruneTable(done []retention.Store, dry bool) string {
	rows, count, freed := [][]string{{"STORE", "IMAGE", "DIGEST", "SIZE", "LAST USED"}}, 0, uint64(0)
	for _, s := range done {
		for _, g := range s.Gone {
			rows = append(rows, []string{s.Name, printable(strings.Join(g.Names, " ")), printable(g.Digest), bytesText(g.Bytes), usedText(g.Used)})
		}
		if s.Left.Layers > 0 {
			rows = append(rows, []string{s.Name, fmt.Sprintf("%d layers of broken pulls", s.Left.Layers), "", bytesText(s.Left.Bytes), ""})
		}
		rows = append(rows, []string{s.Name, total(s), "", bytesText(s.Freed), ""})
		count, freed = count+len(s.Gone), freed+s.Freed
	}
	verb := "removed"
	if dry {
		verb = "would remove"
	}
	last := fmt.Sprintf("%s %d images of %d stores, %s\n", verb, count, len(done), bytesText(freed))
	if len(done) == 0 {
		return last
	}
	return table(rows) + "\n" + last
}

// total says in words what goes from a store.
func total(s retention.Store) string {
	if s.Whole {
		return "the whole store"
	}
	return fmt.Sprintf("%d images of %d, of %s", len(s.Gone), len(s.Gone)+s.Kept, bytesText(s.Bytes))
}

// usedText says when an image was used last.
func usedText(at time.Time) string {
	if at.IsZero() {
		return "not known"
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}

// printable returns a text that a store has of an image. Its user can have written it.
func printable(text string) string {
	quoted := strconv.QuoteToASCII(text)
	return quoted[1 : len(quoted)-1]
}
