package redact

import "strings"

// slot is one conversion of a printf format: the text between the conversion before it and itself.
type slot struct {
	before string
	first  bool
}

// slots cuts a printf format at its conversions. A width given as * takes an argument of its own.
func slots(format string) []slot {
	var out []slot
	start := 0
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		if i+1 < len(format) && format[i+1] == '%' {
			i++
			continue
		}
		before := format[start:i]
		for i++; i < len(format) && strings.IndexByte("-+ #0123456789.*", format[i]) >= 0; i++ {
			if format[i] == '*' {
				out = append(out, slot{first: len(out) == 0})
			}
		}
		out = append(out, slot{before: before, first: len(out) == 0})
		start = min(i+1, len(format))
	}
	return out
}

// printfOf returns the format and the arguments of a printf, or nothing for another command.
func printfOf(cmd *command) (format *word, args []word) {
	at := 0
	for at < len(cmd.words) && reserved.Has(cmd.words[at].text) {
		at++
	}
	if at >= len(cmd.words) || cmd.words[at].text != "printf" {
		return nil, nil
	}
	ws := cmd.words[at+1:]
	switch {
	case len(ws) > 2 && ws[0].text == "-v":
		ws = ws[2:]
	case len(ws) > 1 && ws[0].text == "--":
		ws = ws[1:]
	}
	if len(ws) < 2 {
		return nil, nil
	}
	return &ws[0], ws[1:]
}

// formatted marks the arguments of printf that its format puts behind the name of a secret:
// printf 'password=%s\n' hunter2, printf '%s=%s\n' TOKEN x.
func (f *finder) formatted(cmd *command) {
	format, args := printfOf(cmd)
	if format == nil {
		return
	}
	list := slots(format.text)
	if len(list) == 0 {
		return
	}
	at := strings.IndexByte(format.text, '@')
	address := at > 0 && strings.Contains(format.text[:at], "://")
	netrc := strings.Contains(format.text, "login ")
	for i := range args {
		s := list[i%len(list)]
		w := &args[i]
		before := s.before
		if !s.first && i > 0 && isJoint(before) {
			before = args[i-1].text + before
		}
		if netrc && strings.HasSuffix(before, " password ") { // .netrc
			before = "password="
		}
		if n := nameBefore(before); n.class > classWeak && w.secret(0, len(w.text), n.class, placeWord, '=', true) {
			f.mark(w, 0, len(w.text), n.kind)
		} else if address && strings.HasSuffix(s.before, ":") && w.secret(0, len(w.text), classToken, placeSure, ':', true) {
			f.mark(w, 0, len(w.text), kindURLPassword)
		}
	}
}

// isJoint reports text that stands between a name and its value.
func isJoint(s string) bool { return s != "" && len(s) < 8 && strings.Trim(s, "=: \"'") == "" }

// nameBefore classifies the name that joins the end of a text: `password=`, `"token": "`, `Authorization: Bearer `.
func nameBefore(s string) name {
	s = s[max(0, len(s)-2*maxName):]
	for _, scheme := range schemes {
		if k := len(s) - len(scheme) - 1; k > 0 && s[len(s)-1] == ' ' && s[k-1] == ' ' && strings.EqualFold(s[k:len(s)-1], scheme) {
			return name{class: classToken, kind: kindAuthorization}
		}
	}
	joint := len(s)
	for joint > 0 && strings.IndexByte("=: \"'", s[joint-1]) >= 0 {
		joint--
	}
	if strings.IndexByte(s[joint:], '=') < 0 && strings.IndexByte(s[joint:], ':') < 0 {
		return name{}
	}
	l := joint
	for l > 0 && is(s[l-1], setIdent) {
		l--
	}
	if l >= 2 && s[l-1] == '\\' && l < joint { // the letter of an escape: \npassword=
		l++
	}
	return classify(s[l:joint])
}
