package redact

import (
	"cmp"
	"sort"
	"strings"
)

// fed marks what is given to a tool that reads a secret from its standard input, by a here-string, a here-document, or
// echo and printf in front of the pipe.
func (r *reading) fed(cmds []command) {
	for _, h := range r.heads {
		for _, rule := range r.rules.feeds[h.name] {
			args := r.cmd.words[h.at+1 : h.to]
			if _, ok := behind(args, rule.sub); !ok || rule.needs != "" && !anyWord(args, strings.Fields(rule.needs)) || rule.named && !anyName(args) {
				continue
			}
			for i := range r.cmd.stdin {
				r.lines(&rule, &r.cmd.stdin[i])
			}
			for k := r.cmd.fedFrom; k < r.cmd.fedTo; k++ {
				if rule.pairs && r.printedPairs(&rule, &cmds[k]) {
					continue
				}
				ws := operandsOfPrinter(&cmds[k])
				for i := range ws {
					r.lines(&rule, &ws[i])
				}
			}
			if rule.line == "" {
				return
			}
		}
	}
}

// anyName reports that one of the words is the name of a secret.
func anyName(args []word) bool {
	for i := range args {
		if !strings.HasPrefix(args[i].text, "-") && classify(args[i].text).class > classQualified {
			return true
		}
	}
	return false
}

// fieldsEnd returns where the fields of a rule's line are over and the secret begins, or -1 if the line is another.
func fieldsEnd(form, text string, from, to int) int {
	for _, want := range strings.Fields(form) {
		for from < to && (text[from] == ' ' || text[from] == '\t') {
			from++
		}
		if want == "SECRET" {
			return from
		}
		start := from
		for from < to && text[from] != ' ' && text[from] != '\t' {
			from++
		}
		if start == from || want != "*" && !strings.EqualFold(text[start:from], want) {
			return -1
		}
	}
	return -1
}

// operandsOfPrinter returns what echo or printf prints, or nothing for another command.
func operandsOfPrinter(cmd *command) []word {
	at := -1
	for i := range cmd.words {
		if printers.Has(cmd.words[i].text) {
			at = i
			break
		}
		if !reserved.Has(cmd.words[i].text) {
			return nil
		}
	}
	if at < 0 {
		return nil
	}
	ws := cmd.words[at+1:]
	for len(ws) > 0 && len(ws[0].text) > 1 && ws[0].text[0] == '-' && strings.Trim(ws[0].text, "-neErR") == "" {
		ws = ws[1:]
	}
	if cmd.words[at].text == "printf" && len(ws) > 1 && strings.IndexByte(ws[0].text, '%') >= 0 {
		ws = ws[1:]
	}
	return ws
}

// printedWords returns all that echo and printf print in these commands, by position.
func printedWords(cmds []command) []*word {
	var out []*word
	for k := range cmds {
		ws := operandsOfPrinter(&cmds[k])
		for i := range ws {
			out = append(out, &ws[i])
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].from < out[j].from })
	return out
}

// echoed marks what is printed inside a value that is a substitution: --from-literal=p=$(echo -n secret | base64).
func (f *finder) echoed(w *word, from, to int, kind string) {
	if len(f.printed) == 0 || !w.live(from) {
		return
	}
	s := w.segment(from)
	if s == nil || s.from < 0 {
		return
	}
	k := sort.Search(len(f.printed), func(k int) bool { return f.printed[k].from >= s.from })
	for ; k < len(f.printed) && f.printed[k].to <= s.to; k++ {
		p := f.printed[k]
		if p.src == w.src && p.text != "" && p.secret(0, len(p.text), classToken, placeSure, ' ', true) {
			f.mark(p, 0, len(p.text), kind)
		}
	}
}

// dialogue marks what an expect script sends in answer to the prompt for a password.
func (f *finder) dialogue(cmds []command) {
	expects, asked := false, false
	for k := range cmds {
		ws := cmds[k].words
		for i := range ws {
			text := ws[i].text
			switch {
			case text == "expect" || text == "spawn":
				expects = true
			case !expects:
			case strings.Contains(text, "assword") || strings.Contains(text, "assphrase"):
				asked = asked || !strings.HasPrefix(text, "-")
			case text == "send" && asked:
				n := i + 1
				for n < len(ws) && strings.HasPrefix(ws[n].text, "-") {
					n++
				}
				if n < len(ws) {
					w := &ws[n]
					end := len(strings.TrimRight(w.text, "\r\n"))
					for strings.HasSuffix(w.text[:end], `\r`) || strings.HasSuffix(w.text[:end], `\n`) {
						end -= 2
					}
					if end > 0 && w.secret(0, end, classToken, placeSure, ' ', true) {
						f.mark(w, 0, end, kindPassword)
					}
				}
				asked = false
			}
		}
	}
}

// printedPairs marks the secrets of printf 'user:%s' secret, and reports whether the command is of that form.
func (r *reading) printedPairs(rule *feedRule, cmd *command) bool {
	format, args := printfOf(cmd)
	if format == nil || !strings.Contains(format.text, ":%") {
		return false
	}
	list := slots(format.text)
	for i := range args {
		w := &args[i]
		if len(list) == 0 || !strings.HasSuffix(list[i%len(list)].before, ":") || w.text == "" {
			continue
		}
		if w.secret(0, len(w.text), classToken, placeSure, ' ', true) {
			r.mark(w, 0, len(w.text), cmp.Or(rule.kind, kindPassword))
		}
	}
	return true
}

// lines marks each line of a word.
func (r *reading) lines(rule *feedRule, w *word) {
	kind := cmp.Or(rule.kind, kindPassword)
	for from := 0; from < len(w.text); {
		end := lineEnd(w.text, from)
		start := from
		if rule.pairs {
			start = end
			if k := strings.Index(w.text[from:end], cmp.Or(rule.sep, ":")); k >= 0 {
				start = from + k + 1
				if m := markerAt(w.text, from); m >= 0 {
					start = min(m+1, end)
				}
			}
		}
		if rule.line != "" {
			if start = fieldsEnd(rule.line, w.text, from, end); start < 0 {
				start = end
			}
		}
		if rule.doubt && !notAWord(w.text[start:min(end, start+look)]) {
			start = end
		}
		if start < end && strings.TrimSpace(w.text[start:end]) != "" && w.secret(start, end, classToken, placeSure, ' ', true) {
			r.mark(w, start, end, kind)
		}
		from = end + 1
	}
}
