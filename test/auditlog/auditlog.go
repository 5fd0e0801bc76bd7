// Package auditlog checks lines of the audit log against docs/audit.schema.json, which is
// what rolecall promises to those who read the log.
package auditlog

import (
	"bytes"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"rolecall/test/kit"
)

// Schema returns the path of the schema, whatever the folder of the process is.
func Schema(t testing.TB) string {
	t.Helper()
	_, self, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("this file is not known")
	}
	return filepath.Join(filepath.Dir(self), "../../docs/audit.schema.json")
}

// Check fails the test for each of the lines that the schema does not allow. It returns how
// many lines there are.
func Check(t testing.TB, lines []byte) int {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(Schema(t))
	kit.Must(t, err)
	n := 0
	for line := range bytes.Lines(lines) {
		n++
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err == nil {
			err = schema.Validate(value)
		}
		if err != nil {
			t.Errorf("a line of the audit log: %v\n%s", err, line)
		}
	}
	return n
}
