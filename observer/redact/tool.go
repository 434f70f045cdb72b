package redact

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// prepare splits the lists of a rule once.
func (t *toolRule) prepare() {
	t.gluedList, t.nextList = strings.Fields(t.glued), strings.Fields(t.next)
	t.pairList, t.takesList = strings.Fields(t.pair), strings.Fields(t.takes)
	t.needsList, t.namedList = strings.Fields(t.needs), strings.Fields(t.named)
	if t.kind == "" {
		t.kind = kindPassword
	}
	if t.sep == "" {
		t.sep = ":"
	}
}

// frequent words are no good sign that a rule applies.
var frequent = wordset.Of("up config create set import user push setup kv upload target publish")

// triggers returns the words by which a command that a rule is about is noticed: the longest word of the subcommand
// ("docker login" is rarer than docker), or the names.
func triggers(names, sub string) []string {
	longest := ""
	for _, s := range strings.Fields(sub) {
		if len(s) > len(longest) && !frequent.Has(s) {
			longest = s
		}
	}
	if longest != "" {
		return []string{longest}
	}
	return strings.Fields(names)
}

// tool applies a rule to the arguments of the tool.
func (f *finder) tool(t *toolRule, args []word) {
	if len(t.needsList) > 0 && !anyWord(args, t.needsList) {
		return
	}
	rest, ok := behind(args, t.sub)
	if !ok {
		return
	}
	own := args
	if t.sub != "" {
		own = rest
	}
	f.toolOptions(t, own)
	pairs := has(t.pairList, "operand")
	if t.operand == 0 && !t.all && !pairs && t.named == "" {
		return
	}
	ops := operands(t, rest)
	if t.all || t.named != "" {
		for _, w := range ops {
			if t.named != "" {
				f.namedValues(t, w)
			} else if k := strings.IndexByte(w.text, '='); k > 0 && !plainName(w.text[:k]) {
				f.sure(t, w, k+1, len(w.text))
			}
		}
		return
	}
	k := t.operand - 1
	if t.operand < 0 {
		k = len(ops) - 1
	}
	if pairs {
		if k = max(k, 0); k < len(ops) {
			f.userSecret(t, ops[k], 0, strings.LastIndexByte(ops[k].text, '@'))
		}
		return
	}
	if k >= 0 && k < len(ops) && len(ops) >= t.least && (t.most == 0 || len(ops) <= t.most) && !(t.plain && isAssignment(ops[k].text)) {
		f.sure(t, ops[k], 0, len(ops[k].text))
	}
}

// namedValues marks the values behind the rule's names in name=value,name=value.
func (f *finder) namedValues(t *toolRule, w *word) {
	for from := 0; from < len(w.text); {
		end := from
		for end < len(w.text) && w.text[end] != ',' {
			end++
		}
		if k := strings.IndexByte(w.text[from:end], '='); k > 0 {
			name := w.text[from : from+k]
			for _, n := range t.namedList {
				if name == n || n[0] == '*' && strings.HasSuffix(name, n[1:]) {
					f.sure(t, w, from+k+1, end)
				}
			}
		}
		from = end + 1
	}
}

// toolOptions looks at options with values.
func (f *finder) toolOptions(t *toolRule, args []word) {
	for i := range args {
		w := &args[i]
		for _, o := range t.gluedList {
			from := t.bundled(w.text, o)
			if strings.HasPrefix(w.text, o) {
				from = len(o)
			}
			if from > 0 && from < len(w.text) && !isPort(w.text[from:]) && w.text[from] != '=' {
				f.sure(t, w, from, len(w.text))
			}
		}
		for _, o := range t.nextList {
			if from, target := t.optionValue(args, i, o, false); target != nil {
				f.sure(t, target, from, len(target.text))
			}
		}
		for _, o := range t.pairList {
			if from, target := t.optionValue(args, i, o, true); target != nil {
				f.userSecret(t, target, from, -1)
			}
		}
	}
}

// optionValue finds the value of option o at args[i]: the next word, what follows "=", or, if glued is allowed, what
// follows a one-letter option.
func (t *toolRule) optionValue(args []word, i int, o string, glued bool) (int, *word) {
	text := args[i].text
	if k := t.bundled(text, o); k > 0 {
		switch {
		case k < len(text) && glued:
			return k, &args[i]
		case k == len(text) && i+1 < len(args) && !strings.HasPrefix(args[i+1].text, "-"):
			return 0, &args[i+1]
		}
		return 0, nil
	}
	switch {
	case text == o:
		if i+1 < len(args) && !strings.HasPrefix(args[i+1].text, "-") {
			return 0, &args[i+1]
		}
	case !strings.HasPrefix(text, o):
	case text[len(o)] == '=':
		return len(o) + 1, &args[i]
	case glued && len(o) == 2 && o[0] == '-':
		return 2, &args[i]
	}
	return 0, nil
}

// bundled returns where the value of the one-letter option o begins if o stands behind other letters in one word, as
// the u of curl -su, and 0 otherwise.
func (t *toolRule) bundled(text, o string) int {
	if t.flags == "" || len(o) != 2 || len(text) < 3 || text[0] != '-' {
		return 0
	}
	for k := 1; k < len(text); k++ {
		if text[k] == o[1] {
			if k == 1 {
				return 0
			}
			return k + 1
		}
		if strings.IndexByte(t.flags, text[k]) < 0 {
			return 0
		}
	}
	return 0
}

// sure marks a value in a place that holds nothing but a secret.
func (f *finder) sure(t *toolRule, w *word, from, to int) {
	if t.kind == kindCookie && !w.cookies(from, to) {
		return
	}
	if from >= to || w.text[from:to] == "-" || !strings.Contains(w.text[from:to], t.with) {
		return
	}
	if w.secret(from, to, classToken, placeSure, ' ', true) {
		f.mark(w, from, to, t.kind)
	} else {
		f.echoed(w, from, to, t.kind)
	}
}

// userSecret marks the secret of user+sep+secret in w.text[from:to] (to the end if to is negative). A user part that is
// itself a marker, or a token with nothing behind it (curl -u "$TOKEN:"), is told apart.
func (f *finder) userSecret(t *toolRule, w *word, from, to int) {
	if to < 0 {
		to = len(w.text)
		if k := strings.LastIndexByte(w.text[from:], '@'); k > 0 && (t.sep == "/" || t.host) {
			to = from + k
		}
	}
	if from >= to {
		return
	}
	user := from
	if end := markerAt(w.text, from); end >= 0 {
		user = end
	}
	for k := user; k+len(t.sep) <= to; k++ {
		if w.text[k:k+len(t.sep)] != t.sep || w.live(k) {
			continue
		}
		if t.sep == "=" && plainName(w.text[from:k]) || strings.HasPrefix(w.text[k:], "://") || strings.Contains(w.text[from:k], "://") {
			return
		}
		if t.sep == "/" && (k == from || strings.IndexByte(w.text[from:k], '@') >= 0) {
			return
		}
		if k+len(t.sep) == to || plainUsers.Has(w.text[k+len(t.sep):to]) {
			if v := w.text[from:k]; user == from && len(v) >= 16 && looksRandom(v) {
				f.mark(w, from, k, t.kind)
			}
			return
		}
		f.sure(t, w, k+len(t.sep), to)
		return
	}
}

// plainName reports a setting of plainNames, in any case.
func plainName(s string) bool {
	return plainNames.Has(strings.ReplaceAll(strings.ToLower(s), "-", "_"))
}

// plainUsers stand in the place of the password where the token is given as the user.
var plainUsers = wordset.Of("x x-oauth-basic api_token")

// isPort reports digits, with further ones behind colons: mysql's -p in a docker command publishes a port.
func isPort(s string) bool {
	colon := false
	for i := range len(s) {
		if s[i] == ':' {
			colon = true
		} else if !is(s[i], setDigit) {
			return false
		}
	}
	return colon
}

// behind returns the words after the ones of sub, which must occur in this order.
func behind(args []word, sub string) ([]word, bool) {
	for _, s := range strings.Fields(sub) {
		found := false
		for i := range args {
			if args[i].text == s {
				args, found = args[i+1:], true
				break
			}
		}
		if !found {
			return nil, false
		}
	}
	return args, true
}

// operands returns the words that are neither options nor their values.
func operands(t *toolRule, args []word) []*word {
	var out []*word
	for i := 0; i < len(args); i++ {
		text := args[i].text
		if strings.HasPrefix(text, "-") && len(text) > 1 {
			if has(t.takesList, text) || has(t.nextList, text) || has(t.pairList, text) {
				i++
			}
			continue
		}
		out = append(out, &args[i])
	}
	return out
}

func has(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// anyWord reports that one of the words is in the list. An entry "-*b" stands for one-letter options in one word of
// which one is b, "x.*" for words that begin with "x.", "*x" for those that end with x, and "*.*" for those with a dot
// inside.
func anyWord(args []word, list []string) bool {
	for i := range args {
		text := args[i].text
		for _, l := range list {
			switch {
			case l == text:
				return true
			case len(l) == 3 && l[:2] == "-*":
				if isBundle(text) && strings.IndexByte(text, l[2]) > 0 {
					return true
				}
			case l == "*.*":
				if k := strings.IndexByte(text, '.'); k > 0 && k < len(text)-1 {
					return true
				}
			case l[0] == '*' && len(l) > 1 && strings.HasSuffix(text, l[1:]):
				return true
			case strings.HasSuffix(l, "*") && strings.HasPrefix(text, l[:len(l)-1]):
				return true
			}
		}
	}
	return false
}

// isBundle reports one-letter options in one word.
func isBundle(s string) bool {
	if len(s) < 2 || len(s) > 8 || s[0] != '-' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !is(s[i], setAlnum) || is(s[i], setDigit) {
			return false
		}
	}
	return true
}
