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
	gate     = 1 << (8 + iota) // linkBeyond must be called before this node's edges are used; forks is set, too
	token    = 1 << (8 + iota) // a token can begin with the byte of the edge to the next node
	complete = 1 << (8 + iota) // a form is the path to this node
)

// gateDepth is the length of the prefixes whose nodes are gates, in bytes. A text that is
// not a secret rarely has such a prefix, so few processes must make the many nodes
// beyond the gates.
const gateDepth = 12

// trie is an automaton of Aho and Corasick (1975). After it has read a text, it is in the
// node for the longest suffix of the text that is a prefix of a form. Nearly all nodes
// have only one child, with the next number. These chains make the automaton small and
// fast.
//
// The nodes up to the gates have the lowest numbers. So they are in few pages of memory, and
// those of the others are not touched before linkBeyond has made them.
type trie struct {
	forms [][]byte
	// edge holds for each node the byte of the edge to the next node, and flags. In most
	// nodes no flag is set.
	edge  []uint16
	fail  []node    // for each node: the node of its longest proper suffix
	first [256]node // the edges of the root
	whole []node    // for each form: the node that stands for the whole form; linkBeyond completes it
	near  branches  // between the nodes up to the gates
	far   branches  // from the gates on
	split node      // the first node beyond the gates
	gates []node
	// beyond makes the nodes beyond the gates, and links them.
	beyond sync.Once
}

// branches are chains of nodes, and the edges to them.
type branches struct {
	fork   map[node]int // for each node with forks: the index of the first in forked
	forked []fork       // the edges to other nodes than the next one; index 0 means none
	chains []chain      // sorted by first node
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
		forms: forms,
		edge:  make([]uint16, size),
		fail:  make([]node, size),
		whole: make([]node, len(forms)),
		near:  branches{map[node]int{}, make([]fork, 1), []chain{{root, root + 1, 0}}},
		far:   branches{map[node]int{}, make([]fork, 1), nil},
		split: root + 1,
	}
	t.edge[root] = none | forks
	for i, form := range forms {
		t.insertShort(i, form)
	}
	t.linkShort()
	return t
}

// insertShort adds the nodes of a form up to its gate.
func (t *trie) insertShort(i int, form []byte) {
	short := form[:min(len(form), gateDepth)]
	at, end := t.insert(&t.near, short, t.split)
	if t.split = end; len(form) == len(short) {
		t.complete(i, at)
		return
	}
	t.edge[at] |= gate | forks
}

// complete notes that a node stands for a whole form.
func (t *trie) complete(form int, at node) {
	t.edge[at] |= ends | complete
	t.whole[form] = at
}

// insert adds text. Its new nodes have numbers from end on, and their branches are those of to. It
// returns the node that stands for text, and the number after the new nodes.
func (t *trie) insert(to *branches, text []byte, end node) (node, node) {
	at, depth := root, 0
	for depth < len(text) {
		next := t.child(at, text[depth])
		if next == root {
			break
		}
		at = next
		depth++
	}
	rest := text[depth:]
	if len(rest) == 0 {
		return at, end
	}
	t.branch(to, at, rest[0], end)
	first := end
	for _, c := range rest[1:] {
		t.edge[end] = uint16(c)
		if isSpecial(c) {
			t.edge[end] |= token
		}
		end++
	}
	t.edge[end] = none
	to.chains = append(to.chains, chain{first, end + 1, depth + 1})
	return end, end + 1
}

// branch adds an edge for c from a node to to, the first node of a new chain.
func (t *trie) branch(of *branches, from node, c byte, to node) {
	if from == root {
		t.first[c] = to
		return
	}
	of.forked = append(of.forked, fork{c, to, of.fork[from]})
	of.fork[from] = len(of.forked) - 1
	if t.edge[from]&gate == 0 { // a gate has the flag, and others may be reading it
		t.edge[from] |= forks
	}
}

// forksOf returns where the forks of a node with that edge are.
func (t *trie) forksOf(at node, edge uint16) *branches {
	if at < t.split && edge&gate == 0 {
		return &t.near
	}
	return &t.far
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
		b := t.forksOf(of, edge)
		for i := b.fork[of]; i != 0; i = b.forked[i].next {
			if b.forked[i].label == c {
				return b.forked[i].to
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

// longest returns the node of the longest form that ends at a node, and the root if none does.
func (t *trie) longest(at node) node {
	for at != root && t.edge[at]&complete == 0 {
		at = t.fail[at]
	}
	return at
}

// chainOf returns the chain with a node. It tries guess first: usually the text has continued in the
// same chain.
func (t *trie) chainOf(at node, guess chain) chain {
	if guess.first <= at && at < guess.end {
		return guess
	}
	chains := t.near.chains
	if at >= t.split {
		chains = t.far.chains
	}
	low, high := 0, len(chains)
	for high-low > 1 {
		if middle := (low + high) / 2; chains[middle].first <= at {
			low = middle
		} else {
			high = middle
		}
	}
	return chains[low]
}

// depth returns the length of the prefix of a node in the chain, in bytes.
func (c chain) depth(at node) int { return c.start + int(at-c.first) }

// depth returns the length of the prefix of a node, in bytes.
func (t *trie) depth(at node) int { return t.chainOf(at, chain{}).depth(at) }
