package metrics

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// prefix is how the names begin.
const prefix = "rolecall_"

// other is the value of a label for which there are too many values.
const other = "other"

// Bounds of what is counted.
const (
	maxValues = 200    // of a label that authors of jobs can make up
	maxSeries = 10_000 // of all metrics
	maxValue  = 100    // bytes of a value
)

// counts are series by their names with labels, in the form of the file.
//
// https://prometheus.io/docs/instrumenting/exposition_formats/
type counts map[string]float64

// counting is counts to which lines are added.
type counting struct {
	counts

	values map[string]map[string]bool // of the labels, by their names
}

// newCounting returns counts to which lines can be added.
func newCounting(c counts) *counting {
	all := &counting{c, map[string]map[string]bool{}}
	for key := range c {
		_, labels, _ := strings.Cut(strings.TrimSuffix(key, `"}`), "{")
		for pair := range strings.SplitSeq(labels, `",`) {
			name, value, _ := strings.Cut(pair, `="`)
			all.note(name, value)
		}
	}
	return all
}

// note notes a value of a label.
func (c *counting) note(name, value string) {
	if c.values[name] == nil {
		c.values[name] = map[string]bool{}
	}
	c.values[name][value] = true
}

// add adds to a series. Labels are names and values; a label without a value is left out.
func (c counts) add(name string, n float64, labels ...string) {
	key := series(name, labels...)
	if _, ok := c[key]; !ok && len(c) >= maxSeries {
		key = series(name, others(labels)...)
	}
	c[key] += n
}

// series returns the name of a series. No value has a character that must be escaped.
func series(name string, labels ...string) string {
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		if labels[i+1] != "" {
			pairs = append(pairs, labels[i]+`="`+labels[i+1]+`"`)
		}
	}
	if len(pairs) == 0 {
		return prefix + name
	}
	return prefix + name + "{" + strings.Join(pairs, ",") + "}"
}

// others returns labels with other for each value, except the bounds of a histogram.
func others(labels []string) []string {
	labels = slices.Clone(labels)
	for i := 1; i < len(labels); i += 2 {
		if labels[i-1] != "le" && labels[i] != "" {
			labels[i] = other
		}
	}
	return labels
}

// label returns a value of a label, or other if it has a character that no name has, or if it is
// new and there are too many.
func (c *counting) label(name, value string) string {
	if value == "" {
		return ""
	}
	if !plain(value) || !c.values[name][value] && len(c.values[name]) >= maxValues {
		return other
	}
	c.note(name, value)
	return value
}

// real returns a tenant that is in the policy file: its jobs are allowed.
func (c *counting) real(tenant string) string { return named(tenant) }

// named returns the name of a tenant as a label.
func named(tenant string) string {
	if tenant != "" && !plain(tenant) {
		return other
	}
	return tenant
}

// plain reports whether a value is short, and has only characters of names.
func plain(value string) bool {
	const others = "_-./: "
	return len(value) <= maxValue && !strings.ContainsFunc(value, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}

// observe adds a time to a histogram.
func (c counts) observe(name string, took time.Duration, labels ...string) {
	for _, bound := range buckets() {
		most, err := strconv.ParseFloat(bound, 64)
		n := 0.0
		if err == nil && took.Seconds() <= most {
			n = 1
		}
		c.add(name+"_bucket", n, append(slices.Clone(labels), "le", bound)...)
	}
	c.add(name+"_sum", took.Seconds(), labels...)
	c.add(name+"_count", 1, labels...)
}

// first returns the series that are there from the beginning.
func first() counts {
	c := counts{}
	for _, m := range Metrics() {
		name := strings.TrimPrefix(m.Name, prefix)
		if m.Type == counter && len(m.Labels) == 0 {
			c.add(name, 0)
		}
		for _, value := range m.First {
			c.add(name, 0, m.Labels[0], value)
		}
	}
	return c
}

// text returns series in the form of the file, in the order of the metrics.
func text(counted, now counts) []byte {
	all := first()
	maps.Copy(all, counted)
	lines := map[string][]string{}
	for _, c := range []counts{all, now} {
		for key, n := range c {
			name := metricOf(key)
			lines[name] = append(lines[name], key+" "+strconv.FormatFloat(n, 'f', -1, 64)+"\n")
		}
	}
	var out strings.Builder
	for _, m := range Metrics() {
		out.WriteString(m.text(lines[m.Name]))
	}
	return []byte(out.String())
}

// text returns the lines of a metric, with what it means.
func (m Metric) text(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	return "# HELP " + m.Name + " " + m.Help + "\n# TYPE " + m.Name + " " + m.Type + "\n" + strings.Join(lines, "")
}

// metricOf returns the name of the metric of a series.
func metricOf(key string) string {
	name, _, _ := strings.Cut(key, "{")
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		name = strings.TrimSuffix(name, part)
	}
	return name
}
