package mask

// linkShort links the nodes up to the gates.
func (t *trie) linkShort() {
	var level, next []node
	for _, child := range t.first {
		if child != root {
			level = append(level, child)
		}
	}
	for depth := 1; depth < gateDepth && len(level) > 0; depth++ {
		next = t.linkLevel(level, next[:0])
		level, next = next, level
	}
	t.gates = level
}

// linkBeyond makes the nodes beyond the gates and links them, once. It changes nothing that a reader
// uses before it has passed a gate.
func (t *trie) linkBeyond() {
	t.beyond.Do(func() {
		end := t.split
		for i, form := range t.forms {
			if len(form) > gateDepth {
				var at node
				at, end = t.insert(&t.far, form, end)
				t.complete(i, at)
			}
		}
		level, next := t.gates, []node(nil)
		for len(level) > 0 {
			next = t.linkLevel(level, next[:0])
			level, next = next, level
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
			if next = append(next, at+1); t.edge[at+1]&ends != 0 {
				t.edge[at] |= enters
			}
		}
		if edge&forks == 0 {
			continue
		}
		b := t.forksOf(at, edge)
		for i := b.fork[at]; i != 0; i = b.forked[i].next {
			t.linkChild(at, b.forked[i].label, b.forked[i].to)
			next = append(next, b.forked[i].to)
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
}
