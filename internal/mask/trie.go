package mask

import "sync"

// node is the number of a node of a trie. A node stands for the bytes on the
// way to it, a prefix of a form; node 0, the root, for none.
type node int32

const root node = 0

// Flags of an edge, above the byte that it is for.
const (
	none   = 1 << (8 + iota) // there is no edge to the node that is next by number
	ends   = 1 << (8 + iota) // a form ends at this node
	enters = 1 << (8 + iota) // a form ends at the node that is next by number
	forks  = 1 << (8 + iota) // there are edges to other nodes
	gate   = 1 << (8 + iota) // to go on from this node, linkBeyond must have been called
)

// gateDepth is the length in bytes of the prefixes that are gates. Few texts
// that are no secret get there, so that few processes link the many nodes beyond.
const gateDepth = 12

// trie is an automaton of Aho and Corasick, 1975: having read some text, it is
// in the node of the longest suffix of the text that is a prefix of a form.
// Nearly all nodes have one child only, which has the next number: these chains
// keep it small, and quick to build and to follow.
type trie struct {
	// edge holds, by node, the byte that leads to the node next by number, and
	// flags. Where that byte is all there is to know, no flag is set.
	edge []uint16
	fail []node // by node: its longest proper suffix that is a node
	// longest holds, by node, if it ends a form: the longest such form.
	longest []node
	fork    map[node]int // by node, if it forks: the first of its forks
	forked  []fork       // the edges that are not to the node next by number
	first   [256]node    // the edges of the root
	whole   []node       // by form: the node that stands for all of it
	chains  []chain      // by number of their first node
	// frontier holds the children of the gates, and beyond links what follows.
	frontier []node
	beyond   sync.Once
}

// fork is an edge to a node that is not next by number.
type fork struct {
	label byte
	to    node
	next  int // the next fork of the same node, 0 for none
}

// chain is a run of nodes of which each has the next one as its child.
type chain struct {
	first, end node // of the nodes, end is one more than the last
	start      int  // length in bytes of what the first node stands for
}

// newTrie returns the automaton that finds forms.
func newTrie(forms [][]byte) *trie {
	size := 1
	for _, form := range forms {
		size += len(form)
	}
	t := &trie{
		edge:    make([]uint16, size),
		fail:    make([]node, size),
		longest: make([]node, size),
		fork:    make(map[node]int, len(forms)),
		forked:  make([]fork, 1), // so that 0 can mean none
		chains:  []chain{{root, root + 1, 0}},
	}
	t.edge[root] = none | forks
	end := root + 1
	for _, form := range forms {
		end = t.insert(form, end)
	}
	t.linkShort()
	return t
}

// insert adds form, and returns the number after the last node, which was end.
func (t *trie) insert(form []byte, end node) node {
	at, depth := root, 0
	for depth < len(form) {
		next := t.child(at, form[depth])
		if next == root {
			break
		}
		at = next
		depth++
	}
	if rest := form[depth:]; len(rest) > 0 {
		t.branch(at, rest[0], end)
		first := end
		for _, c := range rest[1:] {
			t.edge[end] = uint16(c)
			end++
		}
		t.edge[end] = none
		at = end
		end++
		t.chains = append(t.chains, chain{first, end, depth + 1})
	}
	t.edge[at] |= ends
	t.longest[at] = at
	t.whole = append(t.whole, at)
	return end
}

// branch adds an edge for c to the first node of a new chain.
func (t *trie) branch(from node, c byte, to node) {
	if from == root {
		t.first[c] = to
		return
	}
	t.forked = append(t.forked, fork{c, to, t.fork[from]})
	t.fork[from] = len(t.forked) - 1
	t.edge[from] |= forks
}

// child returns the child of a node for c, or the root if there is none.
func (t *trie) child(of node, c byte) node {
	if of == root {
		return t.first[c]
	}
	edge := t.edge[of]
	if edge&none == 0 && byte(edge&0xff) == c {
		return of + 1
	}
	if edge&forks != 0 {
		for i := t.fork[of]; i != 0; i = t.forked[i].next {
			if t.forked[i].label == c {
				return t.forked[i].to
			}
		}
	}
	return root
}

// after returns the node to be in after the node at and the byte c.
func (t *trie) after(at node, c byte) node {
	for {
		if next := t.child(at, c); next != root || at == root {
			return next
		}
		at = t.fail[at]
	}
}

// linkShort links the nodes up to the children of the gates.
func (t *trie) linkShort() {
	for _, child := range t.first {
		if child != root {
			t.frontier = append(t.frontier, child)
		}
	}
	var next []node
	for depth := 1; depth <= gateDepth && len(t.frontier) > 0; depth++ {
		next = t.linkLevel(t.frontier, next[:0])
		if depth == gateDepth {
			for _, at := range t.frontier {
				t.edge[at] |= gate
			}
		}
		t.frontier, next = next, t.frontier
	}
}

// linkBeyond links the nodes beyond the gates, if nobody has. Whoever has not yet
// passed a gate does not look at anything that changes.
func (t *trie) linkBeyond() {
	t.beyond.Do(func() {
		var next []node
		for len(t.frontier) > 0 {
			next = t.linkLevel(t.frontier, next[:0])
			t.frontier, next = next, t.frontier
		}
	})
}

// linkLevel links the children of the nodes of one depth, and returns next with
// them appended. Shorter prefixes must have been linked before.
func (t *trie) linkLevel(level, next []node) []node {
	for _, at := range level {
		edge := t.edge[at]
		if edge&none == 0 {
			t.linkChild(at, byte(edge&0xff), at+1)
			next = append(next, at+1)
		}
		if edge&forks == 0 {
			continue
		}
		for i := t.fork[at]; i != 0; i = t.forked[i].next {
			t.linkChild(at, t.forked[i].label, t.forked[i].to)
			next = append(next, t.forked[i].to)
		}
	}
	return next
}

// linkChild sets what the child of a node for c owes to shorter prefixes.
func (t *trie) linkChild(of node, c byte, child node) {
	fail := t.after(t.fail[of], c)
	t.fail[child] = fail
	if t.edge[child]&ends == 0 && t.edge[fail]&ends != 0 {
		t.edge[child] |= ends
		t.longest[child] = t.longest[fail]
	}
	if t.edge[child]&ends != 0 && child == of+1 {
		t.edge[of] |= enters
	}
}

// chainOf returns the position in chains of the chain that a node is in. It tries
// guess first: most of the time the text has gone on in the chain it was in.
func (t *trie) chainOf(at node, guess int) int {
	if c := t.chains[guess]; c.first <= at && at < c.end {
		return guess
	}
	low, high := 0, len(t.chains)
	for high-low > 1 {
		if middle := (low + high) / 2; t.chains[middle].first <= at {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// depth returns the length in bytes of what a node of the chain stands for.
func (c chain) depth(at node) int { return c.start + int(at-c.first) }

// depth returns the length in bytes of what a node stands for.
func (t *trie) depth(at node) int { return t.chains[t.chainOf(at, 0)].depth(at) }
