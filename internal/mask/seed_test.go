package mask_test

import (
	"bytes"
	"fmt"
	"slices"
)

// sample is an input for a Writer.
type sample struct {
	known  [][]byte // the forms that are looked for from the beginning
	chunks []chunk
}

// chunk is a piece of a text, with the forms that are added before it.
type chunk struct {
	add  [][]byte
	text []byte
}

// forms returns all forms, in their order.
func (s sample) forms() [][]byte {
	forms := slices.Clone(s.known)
	for _, c := range s.chunks {
		forms = append(forms, c.add...)
	}
	return forms
}

// texts returns the texts of the chunks.
func (s sample) texts() [][]byte {
	var texts [][]byte
	for _, c := range s.chunks {
		texts = append(texts, c.text)
	}
	return texts
}

// text returns the whole text.
func (s sample) text() []byte { return bytes.Join(s.texts(), nil) }

// String prints a sample for the message of a failed test.
func (s sample) String() string {
	out := fmt.Sprintf("known %q", s.known)
	for _, c := range s.chunks {
		if len(c.add) > 0 {
			out += fmt.Sprintf(", add %q", c.add)
		}
		out += fmt.Sprintf(", write %q", c.text)
	}
	return out
}

// seed is an input of FuzzWriter.
type seed struct {
	name                string
	needles, text, cuts []byte
}

// adds is the bit of a cut that means: add a needle here.
const adds = 0x80

// decode returns the sample of a seed. It is empty if the seed has no needles. Bytes
// from 0xf0 on separate needles. In the text, bytes from 0xe0 on stand for a part of a
// needle, and bytes from 0xc0 on for a whole one; all other bytes are one of three
// letters. Each cut is the length of a chunk. The last needles are added at the cuts
// with the bit adds.
func (s seed) decode() sample {
	forms := s.forms()
	if len(forms) == 0 {
		return sample{}
	}
	text, later := s.expand(forms), 0
	for _, cut := range s.cuts {
		later += int(cut / adds)
	}
	out := sample{known: forms[:max(0, len(forms)-later)]}
	left := forms[len(out.known):]
	var next chunk
	for _, cut := range s.cuts {
		n := min(int(cut%adds), len(text))
		next.text, text = text[:n], text[n:]
		out.chunks = append(out.chunks, next)
		next = chunk{}
		if cut >= adds && len(left) > 0 {
			next.add, left = left[:1], left[1:]
		}
	}
	next.text = text
	out.chunks = append(out.chunks, next)
	return out
}

// letter returns the letter that a byte stands for.
func letter(b byte) byte { return "ab\x00"[b%3] }

// forms returns the needles of a seed.
func (s seed) forms() [][]byte {
	var forms [][]byte
	var form []byte
	for _, b := range slices.Concat(s.needles, []byte{0xff}) {
		if b < 0xf0 {
			form = append(form, letter(b))
			continue
		}
		if len(form) >= 4 && len(forms) < 8 {
			forms = append(forms, form)
		}
		form = nil
	}
	return forms
}

// expand returns the text of a seed.
func (s seed) expand(forms [][]byte) []byte {
	var text []byte
	for _, b := range s.text {
		form := forms[int(b)%len(forms)]
		switch {
		case b >= 0xe0:
			text = append(text, form[:int(b)*7%len(form)]...)
		case b >= 0xc0:
			text = append(text, form...)
		default:
			text = append(text, letter(b))
		}
	}
	return text
}

// seeds returns the seeds of FuzzWriter. They run in every go test.
func seeds() []seed {
	ones := bytes.Repeat([]byte{1}, 100)
	return []seed{
		{"one needle, whole", []byte("abbaab"), []byte("ab\xc0ba"), []byte{3, 2}},
		{"overlaps itself", []byte("aabaabaac"), []byte("aabaab\xc0aabaac\xe5\xc0"), ones},
		{"a run of one letter", []byte("aaaaaaaaaaaaaaaaaaaab"), bytes.Repeat([]byte("a"), 60), ones},
		{"nested", []byte("abcabcabcabcabcab\xffbcab\xffcabcabcabcabcab"), []byte("\xc0\xc1\xc2\xe1\xc0\xe2\xe4"), []byte{7, 7, 1, 1, 9}},
		{"a prefix and a suffix of another", []byte("abcaabbcc\xffabca\xffbbcc"), []byte("\xc0\xc1\xc2\xe3\xc2\xc1"), ones},
		{"covered inside what is held", []byte("abcabacabacbcabcabca\xffbaca"), []byte("\xe9\xea\xeb\xecbaca\xec"), ones},
		{"added in what is held", []byte("abcabacabacbcabcabca\xffbaca\xffcabc"), []byte("\xe9\xea\xeb\xecbaca\xec"), []byte{5, 8 | adds, 0, 3, 4 | adds, 2}},
		{"all are added", []byte("abca\xffbcab\xffcabc"), []byte("\xc0\xc1\xc2\xe1\xc0\xe2\xc2\xc1"), []byte{2 | adds, 7 | adds, 5 | adds, 5, 1}},
		{"added twice", []byte("abcabc\xffabcabc"), []byte("\xc0a\xe1\xc0\xe2\xc0"), []byte{9, 4 | adds, 1, 1}},
		{"touching", []byte("abcb\xffcbca"), []byte("\xc0\xc0\xc1\xc1\xc0a\xc1"), []byte{4, 0, 4, 1}},
	}
}
