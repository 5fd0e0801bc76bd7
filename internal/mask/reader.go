package mask

// hit is an occurrence of a form in a text.
type hit struct {
	at       node  // where the form ends, or its suffixes
	from, to int64 // the offsets of what is to be masked
	escaped  bool  // escape sequences are between from and to
}

// reader looks for forms in a text that comes in pieces. It reads the text twice: as it is
// and, by plain, as somebody sees it who looks at it. Nearly always both readings are in
// the same node, since all forms that have begun have begun after the last token. Then it
// reads only once, and only up to the next special byte.
type reader struct {
	needles *Needles
	base    int64 // offset of the first byte of the piece
	mark    int   // index in the piece of the next escape sequence that matters, or before
	at      node  // stands for the longest end of the text that begins a form
	chain   chain // of at, or of an earlier node
	apart   bool  // plain is not in the same node, or not for the same bytes
	plain   plain
	hits    []hit // which next has found
}

// begin begins a piece of the text, which comes after the piece before it.
func (r *reader) begin(base int64) {
	r.base, r.mark = base, -1
}

// next reads the piece p on from index i, up to the first byte at which hits end, or to
// the end of p. It returns the index after that byte. The hits are those of this call.
func (r *reader) next(p []byte, i int) int {
	r.hits = r.hits[:0]
	for i < len(p) && len(r.hits) == 0 {
		if r.apart {
			i++
			r.step(p[i-1], r.base+int64(i))
		} else {
			i = r.skim(p, i)
		}
	}
	return i
}

// skim is next for when both readings are together. It stops at special bytes, too.
func (r *reader) skim(p []byte, i int) int {
	n, stop, from := r.needles, r.stop(p, i), i
	if i < stop {
		if r.at, i = n.follow(r.at, p[:stop], i); i > from && n.endsAt(r.at) {
			r.addHit(r.base + int64(i))
			return i
		}
		if i == len(p) {
			return i
		}
	}
	if next := r.pass(p, i); next > i {
		return next
	}
	r.apart = true
	r.plain.start(r.at, r.base+int64(i))
	return i
}

// stop returns the first index in p, from i on, at which an escape sequence may be within
// a form that is not longer than a window yet, and len(p) if there is none. Nearly all
// escape sequences do not matter: no form has begun in front of them.
func (r *reader) stop(p []byte, i int) int {
	if r.mark < i {
		r.mark = r.needles.nextEscape(p, i)
	}
	return r.mark
}

// pass passes a token at p[i] if that leaves both readings together, and returns an index
// after i. Otherwise it returns i.
func (r *reader) pass(p []byte, i int) int {
	n := r.needles
	end, what, char := tokenAt(p, i)
	begins := n.blocks.begins(p[i]) && (what == unfinished || what == character && n.first[char] != root)
	switch {
	case what == lineBreak && r.at != root && (end == len(p) || p[end] != escape):
		return r.passBreak(p, i, end)
	case (what == lineBreak || what == sequence) && r.at != root:
		return r.passSequence(p, i, behindSequences(p, end, what == lineBreak))
	case what != text && r.at != root, begins:
		return i
	}
	if r.at = n.next(r.at, p[i]); n.endsAt(r.at) {
		r.addHit(r.base + int64(i+1))
	}
	return i + 1
}

// passBreak is pass for a line break behind the beginning of a form. It ends before p[end].
// Usually the next byte belongs to no form that has begun in front of it.
func (r *reader) passBreak(p []byte, i, end int) int {
	n := r.needles
	if end == len(p) || isSpecial(p[end]) || n.next(r.at, p[i]) != root {
		return i
	}
	after := n.next(r.at, p[end])
	if after != n.first[p[end]] {
		return i
	}
	r.at = after
	return end + 1
}

// passSequence is pass for escape sequences behind the beginning of a form, with one line break at
// most. With many secrets most characters begin a form, and nearly none goes on behind a sequence.
// They end before p[end].
func (r *reader) passSequence(p []byte, i, end int) int {
	n, at := r.needles, r.at
	if end == len(p) || end-i > maxGap || isSpecial(p[end]) {
		return i
	}
	seen := n.next(r.at, p[end])
	for _, c := range p[i : end+1] {
		if at = n.next(at, c); n.endsAt(at) {
			return i
		}
	}
	if n.endsAt(seen) || seen != root && (seen != at || seen != n.first[p[end]]) {
		return i
	}
	r.at = at
	return end + 1
}

// step reads one byte for both readings. The next byte has the offset end.
func (r *reader) step(c byte, end int64) {
	n, p := r.needles, &r.plain
	if r.at = n.next(r.at, c); n.endsAt(r.at) {
		r.addHit(end)
	}
	p.byteRead(c, end, r.character)
	r.apart = p.n > 0 || p.at != root && (p.at != r.at || r.lags())
}

// lags reports whether a token is within the form that the plain text has begun.
func (r *reader) lags() bool {
	p := &r.plain
	return p.chars-r.needles.depth(p.at) < p.jumps[len(p.jumps)-1].char
}

// character reads a character of the plain text, which has the offsets from and to.
func (r *reader) character(c byte, from, to int64) {
	n, p := r.needles, &r.plain
	p.moved(n.next(p.at, c), from, to)
	if len(p.jumps) == cap(p.jumps) {
		p.forget(n.depth(p.at))
	}
	if n.endsAt(p.at) {
		r.addPlainHit(p.at, p.chars, to)
	}
}

// addHit adds what ends at the node of the text, at the offset end.
func (r *reader) addHit(end int64) {
	n := r.needles
	r.hits = append(r.hits, hit{at: r.at, from: end - int64(n.depth(n.longest(r.at))), to: end})
}

// addPlainHit adds what ends at a node of the plain text, before a character and at the
// offset end.
func (r *reader) addPlainHit(at node, char int, end int64) {
	n, p := r.needles, &r.plain
	from := p.begin(char - n.depth(n.longest(at)))
	r.hits = append(r.hits, hit{at: at, from: p.offset(from), to: end, escaped: p.escaped(from, char-1)})
}

// close ends the text at the offset end. The hits are those that only its end shows.
func (r *reader) close(end int64) {
	r.hits = r.hits[:0]
	if r.apart {
		r.plain.flush(end, r.character)
	}
}

// begun returns the offset of the first byte that may belong to a form, if the text ends at
// the offset end. Bytes before it are in no form, or in one that has ended.
func (r *reader) begun(end int64) int64 {
	n, p := r.needles, &r.plain
	r.chain = n.chainOf(r.at, r.chain)
	first := end - int64(r.chain.depth(r.at))
	switch {
	case !r.apart:
	case p.at != root:
		first = min(first, p.offset(p.begin(p.chars-n.depth(p.at))))
	case p.n > 0 && n.blocks.begins(p.pending[0]):
		first = min(first, end-int64(p.n))
	}
	return first
}

// use replaces the needles, for a text that ends at the offset end. The new ones must find
// all forms of the old ones. They read again what is a beginning of an old form. The hits
// are those in it.
func (r *reader) use(needles *Needles, end int64) {
	read, seen := r.needles.prefix(r.at), r.needles.prefix(r.plain.at)
	r.needles, r.at, r.chain, r.hits = needles, root, chain{}, r.hits[:0]
	for i, c := range read {
		if r.at = needles.next(r.at, c); needles.endsAt(r.at) {
			r.addHit(end - int64(len(read)-i-1))
		}
	}
	if !r.apart {
		return
	}
	p := &r.plain
	p.at = root
	for i, c := range seen {
		char := p.chars - len(seen) + i
		if p.at = needles.next(p.at, c); needles.endsAt(p.at) {
			r.addPlainHit(p.at, char+1, p.end(char))
		}
	}
}
