// Command score judges labelled command lines with the risk rules, and prints precision and recall per level.
//
//	go run ./scripts/score [-v] [file …]
//
// Without files it scores the corpus of the repository. The formats are those of package corpus. With -v every entry that
// was judged otherwise than labelled is listed.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/caro-mesh/caro-node/observer/risk/corpus"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "score:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	set := flag.NewFlagSet("score", flag.ContinueOnError)
	verbose := set.Bool("v", false, "list every entry that was judged otherwise than labelled")
	if err := set.Parse(args); err != nil {
		return err
	}
	files := set.Args()
	if len(files) == 0 {
		var err error
		if files, err = filepath.Glob("observer/risk/corpus/*.tsv"); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return fmt.Errorf("no corpus found: run it in the root of the repository, or name files")
	}
	var score corpus.Score
	for _, path := range files {
		entries, err := corpus.ReadFile(path)
		if err != nil {
			return err
		}
		score.Add(entries)
	}
	if *verbose {
		for _, m := range score.Wrong {
			if _, err := fmt.Fprintf(out, "%-9s judged %-9s %s: %s  [%s]\n", m.Level, m.Judged, m.Origin, strings.ReplaceAll(m.Command, "\n", "␤"), strings.Join(m.Rules, " ")); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprint(out, score.String())
	return err
}
