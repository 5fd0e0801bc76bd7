package selection_test

import (
	"strings"
	"testing"

	"rolecall/internal/gate/selection"
)

// TestAsTheArchiver compares the selection with the archives of the runner.
func TestAsTheArchiver(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{
		"a.txt", "b.txt", "A.TXT", ".hidden", "dir/x", "dir/y.txt", "dir/.env", "dir/sub/deep.txt", "dir/sub/deeper/z", "empty/",
		".git/config", ".git/HEAD", "with space/f", "comma,name", "new\nline/f\n", "[br]/x", "{c}/x", "st*r/x", `back\slash/x`, "ünï/ö",
		"\xff\xfe/f\x80", "dir\xff", "-dash", "..dots/f", "...", "~/x", "$A/x",
		"link -> dir", "linkfile -> a.txt", "dangling -> nowhere", "loop -> loop", "out -> /etc", "outfile -> /etc/hostname",
		"up -> ..", "here -> .", "dir/back -> ../dir", "dir/abs -> @/a.txt", "sub2/in -> ../dir/sub", "sub2/f",
		strings.Repeat("n", 255),
	})
	for _, pattern := range patterns(dir) {
		compare(t, dir, selection.Upload{Paths: []string{pattern}})
	}
	for _, patterns := range [][]string{
		{"a.txt", "a.txt", "*.txt", "dir", "dir/x"},
		{"a.txt", "missing", "[", "dir/y.txt"},
	} {
		compare(t, dir, selection.Upload{Paths: patterns})
	}
	for _, exclude := range append(singly(excludes(dir)), [][]string{
		{"../x", "**"},
		{"a.txt", "../x", "b.txt"},
		{"[", "a.txt"},
	}...) {
		compare(t, dir, selection.Upload{Paths: []string{".", "link/**", "dir/x"}, Exclude: exclude})
	}
}

// singly returns a list for each pattern.
func singly(patterns []string) [][]string {
	var lists [][]string
	for _, pattern := range patterns {
		lists = append(lists, []string{pattern})
	}
	return lists
}

// patterns are examples of what a job may write in paths.
func patterns(dir string) []string {
	return []string{
		"a.txt", ".", "./", "dir", "dir/", "./dir//sub/../x", "*", "*.txt", "*.TXT", "**", "**/*", "**/*.txt", "**/", "dir/**", "*/",
		"*/x", "*/sub", "d?r", "{a,b}.txt", "{dir,sub2}/**/*.txt", "[a-c].txt", "[^a].txt", "[!a].txt", "[br]/x", `\[br\]/x`, "[br",
		"{c}/x", `\{c\}/x`, "st*r/x", `st\*r/x`, `back\slash/x`, `back\\slash/x`, `back\\\\slash/x`, "back*/*", ".hidden", ".*", ".*/**",
		".git", ".git/**/*", "empty", "empty/*", "with space", "comma,name", "new\nline", "new*/**", "ünï", "ü*/?", "\xff\xfe", "*\xff",
		"?\xfe/*", "-dash", "..dots", "..*", "...", "~", "~/x", "$A", `\$A`, `\$A/*`, "link", "link/", "link/x", "link/*", "link/**",
		"link/sub/*.txt", "l*/x", "l*/**", "{link,dir}/x", "{link,dir}/*", "linkfile", "dangling", "*ng*", "./dangling", "loop", "loop/*",
		"out", "out/hostname", "out/hostn*", "o*/hostname", "outfile", "up", "up/project/a.txt", "up/*/a.txt", "here", "here/a.txt",
		"here/here/*.txt", "here/dir", "dir/back/x", "dir/back", "sub2/in/*", "", "/", "/etc/hostname", "/etc/*", "..", "../",
		"../project", "../project/a.txt", "../*", "../project/*", "../**", dir, dir + "/", dir + "/a.txt", dir + "/*", dir + "/**/*.txt",
		dir + "x", dir + ".tmp/*", "*/../..", "*/../../*", "*/../../project", "*/../../project/dir", "*/../../../*/project/a.txt",
		"*/../a.txt", "{a/../../,b}x", "dir/*/../x", "missing", "missing/*", "[]", "[a", "a{", "{a", "{a,b", "a}", "**a", "a**", "***",
		"**/**", "**/dir/**", "dir/**/z", "dir/**/deep*/*", "a.txt/", "a.txt/*", "*a.txt*/", "${UNSET:-dir}/x", "$UNSET", "$(id)",
		"$VALUE/x", "${VALUE}/*", "$PWD/a.txt", "a\r\nb", "%VALUE%", "$GLOB", "new\\\nline", strings.Repeat("n", 255),
		strings.Repeat("n", 256), strings.Repeat("a/", 2500),
	}
}

// excludes are examples of what a job may write in exclude.
func excludes(dir string) []string {
	return []string{
		"a.txt", "*", "**", "**/*", "dir", "dir/", "dir/*", "dir/**", "dir/**/*", "**/*.txt", "./dir/x", ".", "", dir + "/dir/**",
		"/etc/**", ".git/**", "**/.*", "link", "link/**", "{a,b}.txt", "$VALUE/**", "${UNSET}", "../project/a.txt", "*.TXT",
		"new\nline/**", "\xff*/**", `st\*r/**`, "out",
	}
}
