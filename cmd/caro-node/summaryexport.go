package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func (c *cli) summaryExportCommand() *cobra.Command {
	out := ""
	var choice summaryChoice
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all summaries, one JSON document a line, latest period first",
		Long: `Write all summaries that the flags choose, with their signatures: one JSON document a line, latest period first, or one
document with --json. With --out they go into a file that only you can read, which appears when it is complete.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := choice.query(api.MaxLimit)
			if err != nil {
				return err
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			if out == "" {
				_, err := c.exportSummaries(cmd.Context(), cl, q, c.Out)
				return err
			}
			n, err := intoFile(out, func(w io.Writer) (int, error) { return c.exportSummaries(cmd.Context(), cl, q, w) })
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.Err, "%d summaries are in %s\n", n, out)
			return err
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the file to write (default: the standard output)")
	choice.addFlags(cmd)
	c.jsonFlag(cmd)
	return cmd
}

// exportSummaries writes every summary that q chooses, page by page, and returns how many there were.
func (c *cli) exportSummaries(ctx context.Context, cl *client.Client, q client.SummaryQuery, w io.Writer) (n int, err error) {
	all := v1.SummaryPage{Summaries: []v1.Summary{}}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for {
		page, err := cl.Summaries(ctx, q)
		if err != nil {
			return n, err
		}
		n += len(page.Summaries)
		if c.json {
			all.SchemaVersion = page.SchemaVersion
			all.Summaries = append(all.Summaries, page.Summaries...)
		} else {
			for _, s := range page.Summaries {
				if err := lines.Encode(v1.SummaryDocument{SchemaVersion: page.SchemaVersion, Summary: s}); err != nil {
					return n, err
				}
			}
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	if c.json {
		return n, writeJSON(w, all)
	}
	return n, nil
}

// intoFile writes a file for its owner alone that appears under its name only when it is complete and on the disk.
func intoFile(path string, write func(io.Writer) (int, error)) (n int, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, fmt.Errorf("make a file beside %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if n, err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(f.Name(), path)
}
