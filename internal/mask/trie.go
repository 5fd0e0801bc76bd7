package mask

import "sync"

// node is the number of a node of a trie. A node stands for a prefix of a form: the bytes
// on the path to it. The root, node 0, stands for the empty prefix.
type node int32

const root node = 0

// Flags of an edge, in the bits above its byte. The next node is the one with the next
// number.
const (
	none     = 1 << (8 + iota) // there is no edge to the next node
	ends     = 1 << (8 + iota) // a form ends at this node
	enters   = 1 << (8 + iota) // a form ends at the next node
	forks    = 1 << (8 + iota) // there are edges to other nodes
	gate     = 1 << (8 + iota) // linkBeyond must be called before this node's edges are used
	token    = 1 << (8 + iota) // a token can begin with the byte of the edge to the next node
	complete = 1 << (8 + iota) // a form is the path to this node
)

// gateDepth is the length of the prefixes whose nodes are gates, in bytes. A text that is
// not a secret rarely has such a prefix, so few processes must link the many nodes
// beyond the gates.
const gateDepth = 12

// trie is an automaton of Aho and Corasick (1975). After it has read a text, it is in the
// node for the longest suffix of the text that is a prefix of a form. Nearly all nodes
// have only one child, with the next number. These chains make the automaton small and
// fast.
type trie struct {
	// edge holds for each node the byte of the edge to the next node, and flags. In most
	// nodes no flag is set.
	edge   []uint16
	fail   []node       // for each node: the node of its longest proper suffix
	fork   map[node]int // for each node with forks: the index of the first in forked
	forked []fork       // the edges to other nodes than the next one
	first  [256]node    // the edges of the root
	whole  []node       // for each form: the node that stands for the whole form
	chains []chain      // sorted by first node
	// frontier holds the children of the gates. beyond links them and the nodes below.
	frontier []node
	beyond   sync.Once
}

// fork is an edge to another node than the next one.
type fork struct {
	label byte
	to    node
	next  int // index of the next fork of the same node; 0: none
}

// chain is a run of nodes in which each node is the parent of the next.
type chain struct {
	first, end node // end is the last node plus 1
	start      int  // length of the first node's prefix, in bytes
}

// newTrie returns the automaton for forms.
func newTrie(forms [][]byte) *trie {
	size := 1
	for _, form := range forms {
		size += len(form)
	}
	t := &trie{
		edge:   make([]uint16, size),
		fail:   make([]node, size),
		fork:   make(map[node]int, len(forms)),
		forked: make([]fork, 1), // index 0 means none
		chains: []chain{{root, root + 1, 0}},
	}
	t.edge[root] = none | forks
	end := root + 1
	for _, form := range forms {
		end = t.insert(form, end)
	}
	t.linkShort()
	return t
}

// insert adds form. Its new nodes have numbers from end on. It returns the number after them.
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
			if isSpecial(c) {
				t.edge[end] |= token
			}
			end++
		}
		t.edge[end] = none
		at = end
		end++
		t.chains = append(t.chains, chain{first, end, depth + 1})
	}
	t.edge[at] |= ends | complete
	t.whole = append(t.whole, at)
	return end
}

// branch adds an edge for c from a node to to, the first node of a new chain.
func (t *trie) branch(from node, c byte, to node) {
	if from == root {
		t.first[c] = to
		return
	}
	t.forked = append(t.forked, fork{c, to, t.fork[from]})
	t.fork[from] = len(t.forked) - 1
	t.edge[from] |= forks
}

// child returns the child of a node for c, and the root if there is none.
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

// after returns the node that follows the node at when the automaton reads c.
func (t *trie) after(at node, c byte) node {
	for {
		if next := t.child(at, c); next != root || at == root {
			return next
		}
		at = t.fail[at]
	}
}

// linkShort links all nodes up to the children of the gates.
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

// linkBeyond links the nodes beyond the gates, once. It changes no node that a reader
// uses before it has passed a gate.
func (t *trie) linkBeyond() {
	t.beyond.Do(func() {
		var next []node
		for len(t.frontier) > 0 {
			next = t.linkLevel(t.frontier, next[:0])
			t.frontier, next = next, t.frontier
		}
	})
}

// linkLevel links the children of level, the nodes of one depth, and appends them to
// next. The nodes of smaller depths must be linked already.
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

// linkChild sets the fail link of the child of a node for c, and marks the forms that end there.
func (t *trie) linkChild(of node, c byte, child node) {
	fail := t.after(t.fail[of], c)
	t.fail[child] = fail
	if t.edge[child]&ends == 0 && t.edge[fail]&ends != 0 {
		t.edge[child] |= ends
	}
	if t.edge[child]&ends != 0 && child == of+1 {
		t.edge[of] |= enters
	}
}

// longest returns the node of the longest form that ends at a node, and the root if none does.
func (t *trie) longest(at node) node {
	for at != root && t.edge[at]&complete == 0 {
		at = t.fail[at]
	}
	return at
}

// chainOf returns the index in chains of the chain with a node. It tries guess first:
// usually the text has continued in the same chain.
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

// depth returns the length of the prefix of a node in the chain, in bytes.
func (c chain) depth(at node) int { return c.start + int(at-c.first) }

// depth returns the length of the prefix of a node, in bytes.
func (t *trie) depth(at node) int { return t.chains[t.chainOf(at, 0)].depth(at) }
