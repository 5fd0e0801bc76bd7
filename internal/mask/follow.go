package mask

// follow goes on from the node at with p[i:], to the first byte that ends a form
// or to the end of p. It returns the node it is in then, and the index in p after
// that byte. i must be less than len(p).
func (n *Needles) follow(at node, p []byte, i int) (node, int) {
	edge := n.edge
	for i < len(p) {
		if at == root {
			if i = n.nextStart(p, i); i < len(p) {
				at = n.first[p[i]]
				i++
			}
			continue
		}
		c := p[i]
		i++
		if edge[at] == uint16(c) {
			at++
			continue
		}
		if edge[at]&gate != 0 {
			n.linkBeyond()
		}
		if at = n.after(at, c); edge[at]&ends != 0 {
			break
		}
		if at == n.first[c] && at != root {
			// Nothing begins before the last byte. Looking from there saves
			// following what is only the first byte of a form, again and again.
			if next := n.nextStart(p, i-1); next >= i {
				at, i = root, next
			}
		}
	}
	return at, i
}

// endsAt reports whether a form ends at a node.
func (n *Needles) endsAt(at node) bool { return n.edge[at]&ends != 0 }

// prefix returns what a node stands for, the beginning of a form. It looks at no
// node that is deeper: another Writer may be linking those beyond the gates.
func (n *Needles) prefix(of node) []byte {
	if n == nil {
		return nil
	}
	depth := n.depth(of)
	for _, form := range n.forms {
		if len(form) >= depth && n.walk(form[:depth]) == of {
			return form[:depth]
		}
	}
	return nil
}

// walk returns the node that stands for the beginning of a form, or the root if
// text is none.
func (n *Needles) walk(text []byte) node {
	at := root
	for _, c := range text {
		if at = n.child(at, c); at == root {
			break
		}
	}
	return at
}
