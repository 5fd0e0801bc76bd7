package mask

// follow reads p[i:] from the node at on, up to the first byte that ends a form, to a
// special byte at or behind the beginning of a form, or to the end of p. It returns the node
// after what it has read, and the index in p after it. The index i must be less than
// len(p).
func (n *Needles) follow(at node, p []byte, i int) (node, int) {
	edge := n.edge
	for i < len(p) {
		if at == root {
			if i = n.nextStart(p, i); i == len(p) || n.blocks.begins(p[i]) {
				break
			}
			at = n.first[p[i]]
			i++
			continue
		}
		c := p[i]
		if edge[at] == uint16(c) {
			at++
			i++
			continue
		}
		if isSpecial(c) {
			break
		}
		i++
		if edge[at]&gate != 0 {
			n.linkBeyond()
		}
		if at = n.after(at, c); edge[at]&ends != 0 {
			break
		}
		if at == n.first[c] && at != root {
			// No form begins before c. If no form begins at c either, continue at the
			// next possible start: this saves steps in text with many first bytes.
			if next := n.nextStart(p, i-1); next >= i {
				at, i = root, next
			}
		}
	}
	return at, i
}

// next returns the node that follows the node at for the byte c.
func (n *Needles) next(at node, c byte) node {
	edge := n.edge[at]
	if edge == uint16(c) {
		return at + 1
	}
	if edge&gate != 0 {
		n.linkBeyond()
	}
	return n.after(at, c)
}

// endsAt reports whether a form ends at a node.
func (n *Needles) endsAt(at node) bool { return n.edge[at]&ends != 0 }

// prefix returns the bytes that a node stands for. It reads no deeper node: another
// Writer may be linking the nodes beyond the gates.
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

// walk returns the node that stands for text, and the root if no form begins with text.
func (n *Needles) walk(text []byte) node {
	at := root
	for _, c := range text {
		if at = n.child(at, c); at == root {
			break
		}
	}
	return at
}
