package pages

import "slices"

// Tree is a table or an index. Tables WITHOUT ROWID are indexes that hold their rows.
type Tree struct {
	Root  uint32
	Index bool
}

// Trees knows which pages belong to which tree.
type Trees struct {
	d     *File
	trees []Tree
	pages [][]uint32 // of each tree, tables in the order of their rows as far as pointers lead
	holes []int      // places of each tree where a page should be and nothing can be read
	owner []uint16   // of each page: 1 + number of the tree; 0: none
}

// late is a pointer that contradicts the map.
type late struct {
	page uint32
	tree int
}

// Claim finds the pages of the trees, which are below 65,535.
func (d *File) Claim(trees []Tree) *Trees {
	c := &Trees{d: d, trees: trees, pages: make([][]uint32, len(trees)), holes: make([]int, len(trees)), owner: make([]uint16, d.n+1)}
	var doubtful []late
	for i, t := range trees {
		if t.Root > 0 && t.Root <= d.n {
			doubtful = append(doubtful, c.descend(i, t.Root, 0)...)
		} else {
			c.holes[i]++
		}
	}
	for n := uint32(3); n <= d.n; n++ {
		if c.owner[n] == 0 {
			if tree, ok := c.climb(n); ok {
				c.take(tree, n)
			}
		}
	}
	for _, l := range doubtful {
		if c.owner[l.page] == 0 {
			c.descend(l.tree, l.page, anyParent)
		}
	}
	if d.log != nil {
		for _, n := range d.log.stale { // what can be read there is not the latest
			if n <= d.n && c.owner[n] != 0 {
				c.holes[c.owner[n]-1]++
			}
		}
	}
	return c
}

// anyParent stands for a page below which the map is not asked.
const anyParent = ^uint32(0)

// descend takes page n and what it points to, and returns the pointers that contradict the map. Parent is 0 for a root.
func (c *Trees) descend(tree int, n, parent uint32) (doubtful []late) {
	type step struct{ page, parent uint32 }
	stack := []step{{n, parent}}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.page == 0 || s.page > c.d.n {
			c.holes[tree]++
			continue
		}
		if c.owner[s.page] != 0 { // two pointers lead there
			c.holes[tree]++
			continue
		}
		if kind, up := c.d.mapped(s.page); s.parent != anyParent && s.parent != 0 && kind != 0 && (kind != kindTree || up != s.parent) {
			doubtful = append(doubtful, late{s.page, tree})
			continue
		}
		nd, err := c.d.node(s.page, false)
		if err != nil || !c.fits(tree, nd.kind) {
			c.holes[tree]++
			continue
		}
		c.take(tree, s.page)
		below := s.page
		if s.parent == anyParent {
			below = anyParent
		}
		for _, child := range slices.Backward(nd.children) {
			stack = append(stack, step{child, below})
		}
	}
	return doubtful
}

func (c *Trees) fits(tree int, kind byte) bool {
	if c.trees[tree].Index {
		return kind == innerIndex || kind == leafIndex
	}
	return kind == innerTable || kind == leafTable
}

func (c *Trees) take(tree int, n uint32) {
	c.owner[n] = uint16(tree) + 1
	c.pages[tree] = append(c.pages[tree], n)
}

// climb follows the map from page n to a tree.
func (c *Trees) climb(n uint32) (tree int, ok bool) {
	table, index := c.d.isTree(n)
	if !table && !index {
		return 0, false
	}
	at := n
	for range 24 { // no tree is deeper
		kind, parent := c.d.mapped(at)
		if kind != kindTree {
			return 0, false
		}
		at = parent
		if o := c.owner[at]; o != 0 {
			tree = int(o) - 1
			return tree, c.trees[tree].Index == index
		}
		if i := slices.IndexFunc(c.trees, func(t Tree) bool { return t.Root == at }); i >= 0 {
			return i, c.trees[i].Index == index
		}
	}
	return 0, false
}

// Row is a row of a table.
type Row struct {
	ID     int64 // without meaning in a table WITHOUT ROWID
	Values []any // see Rows
}

// Damage tells what could not be read of a tree.
type Damage struct {
	Pages int // that should be there, and hold nothing that can be read; each held any number of rows
	Rows  int // of pages that can be read otherwise
}

// Rows calls fn for every row of the tree with this number, and stops when it fails. The values are nil, int64, float64,
// string (TEXT, any bytes) and []byte (BLOB), in the order of the stored columns. Rows of a table come in order as far as
// its pages do.
func (c *Trees) Rows(tree int, fn func(Row) error) (Damage, error) {
	damage := Damage{Pages: c.holes[tree]}
	for _, n := range c.pages[tree] {
		nd, err := c.d.node(n, true)
		if err != nil { // the disk, too, may refuse a page
			damage.Pages++
			continue
		}
		damage.Rows += nd.bad
		for _, cell := range nd.cells {
			values, err := decode(cell.payload)
			if err != nil {
				damage.Rows++
				continue
			}
			if err := fn(Row{ID: cell.rowID, Values: values}); err != nil {
				return damage, err
			}
		}
	}
	return damage, nil
}

// Count returns how many rows or entries the tree has, as far as it can be read.
func (c *Trees) Count(tree int) (n int64, damage Damage) {
	damage.Pages = c.holes[tree]
	for _, p := range c.pages[tree] {
		nd, err := c.d.node(p, false)
		if err != nil {
			damage.Pages++
			continue
		}
		n += int64(len(nd.cells))
		damage.Rows += nd.bad
	}
	return n, damage
}

// Object is a line of the file's own schema.
type Object struct {
	Type, Name, Table string // Type is table or index
	Root              uint32
}

// Schema returns the tables and indexes that the file says it has, and whether that is all of it: where the first pages are
// damaged, some are missing.
func (d *File) Schema() (list []Object, whole bool) {
	c := d.Claim([]Tree{{Root: 1}})
	damage, err := c.Rows(0, func(r Row) error {
		if len(r.Values) < 4 {
			return nil
		}
		kind, _ := r.Values[0].(string)
		name, _ := r.Values[1].(string)
		table, _ := r.Values[2].(string)
		root, _ := r.Values[3].(int64)
		if (kind == "table" || kind == "index") && root > 0 && root <= int64(d.n) {
			list = append(list, Object{kind, name, table, uint32(root)})
		}
		return nil
	})
	return list, err == nil && damage == Damage{} && len(list) > 0
}
