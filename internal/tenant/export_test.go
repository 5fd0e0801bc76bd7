package tenant

// Holds reports whether a rule of that name allows every job of the tenant.
func (t *Tenant) Holds(rule string) bool { return t.holds(rule, newView(Subject{}, Claims{})) }
