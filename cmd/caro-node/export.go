package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/node/export"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/policy/audit/siem"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// exportOptions are what a person may choose about an export.
type exportOptions struct {
	format, out, to, ca, serverName, state string
	follow                                 bool
}

func (c *cli) auditExportCommand() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Hand the audit log to a log collector",
		Long: `Write the audit log for other programs, from the first record that was not exported yet on:

  --format jsonl    one JSON document a line, as it is hashed
  --format syslog   messages of RFC 5424 with structured data
  --format ocsf     events of the Open Cybersecurity Schema Framework, one a line

It goes to standard output, to a file (--out), or over TLS to a syslog collector (--to tls://10.0.0.9:6514, RFC 5425), where the
other formats travel as the text of a syslog message. Only loopback, link-local and private addresses are allowed, written as
numbers, and the collector's certificate has to be of an authority in --ca.

How far it has come stands in a state file: FILE.state for --out FILE, a file in the data folder for --to, none for standard output
unless --state names one. It reads the database directly, whether the node runs or not.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.export(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "jsonl, syslog or ocsf")
	f.StringVar(&o.out, "out", "", "append to this file")
	f.StringVar(&o.to, "to", "", "send to the collector that listens here, such as tls://10.0.0.9:6514")
	f.StringVar(&o.ca, "ca", "", "PEM file with the authorities that may vouch for the collector")
	f.StringVar(&o.serverName, "server-name", "", "name in the collector's certificate, where it does not have its IP address")
	f.BoolVar(&o.follow, "follow", false, "go on with what is recorded later, until interrupted")
	f.StringVar(&o.state, "state", "", "file that remembers how far the export has come")
	return cmd
}

func (c *cli) export(ctx context.Context, o exportOptions) error {
	format, err := siem.ParseFormat(o.format)
	if err != nil {
		return usageErrorf("--format: %w", err)
	}
	target, err := c.exportTarget(o)
	if err != nil {
		return err
	}
	if o.state, err = c.exportState(o); err != nil {
		return err
	}
	origin, err := c.exportOrigin()
	if err != nil {
		return err
	}
	log := &auditSource{open: c.openAudit}
	defer log.close()
	n, err := export.Run(ctx, export.Config{Origin: origin, Format: format, Target: target, State: o.state, Follow: o.follow,
		Note: func(s string) { c.say("%s", oneLine(s)) }, Records: log.records})
	if o.out != "" || o.to != "" {
		c.say("%s exported", counted(int(n), "record", "records"))
	}
	return err
}

// auditSource reads records from the database that has the name now: a repair or a restored copy puts another file in its
// place.
type auditSource struct {
	open func(context.Context) (*store.Store, error)
	db   *store.Store
	file os.FileInfo // of db
}

func (a *auditSource) records(ctx context.Context, after uint64, limit int) ([]audit.Record, error) {
	if a.db != nil {
		// While one file takes the place of the other there may be none for a moment, and the old one is as good.
		if now, err := os.Stat(a.db.Path()); err == nil && !os.SameFile(now, a.file) {
			a.close()
		}
	}
	if a.db == nil {
		db, err := a.open(ctx)
		if err != nil {
			return nil, err
		}
		if a.file, err = os.Stat(db.Path()); err != nil {
			return nil, errors.Join(err, db.Close())
		}
		a.db = db
	}
	return a.db.AuditRecords(ctx, store.AuditFilter{After: after, Limit: limit})
}

func (a *auditSource) close() {
	if a.db != nil {
		_ = a.db.Close() // it was only read
		a.db = nil
	}
}

func (c *cli) exportTarget(o exportOptions) (export.Target, error) {
	switch {
	case o.out != "" && o.to != "":
		return nil, usageErrorf("--out and --to are two exports; run one command for each")
	case o.to == "" && (o.ca != "" || o.serverName != ""):
		return nil, usageErrorf("--ca and --server-name are about a collector; add --to tls://…")
	case o.out != "":
		return export.File(o.out)
	case o.to == "":
		return export.Stream(c.Out), nil
	}
	addr, err := export.ParseAddress(o.to)
	if err != nil {
		return nil, usageErrorf("--to: %w", err)
	}
	if o.ca == "" {
		return nil, usageErrorf("--to needs --ca FILE with the authority that vouches for the collector (PEM)")
	}
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, usageErrorf("--ca: %s holds no certificate in PEM form", o.ca)
	}
	return export.Collector(addr, authorities, o.serverName), nil
}

// exportState returns the state file of an export; empty for none.
func (c *cli) exportState(o exportOptions) (string, error) {
	switch {
	case o.state != "":
		return o.state, nil
	case o.out != "":
		return o.out + ".state", nil
	case o.to == "":
		return "", nil
	}
	p, err := c.paths()
	place := strings.Map(func(r rune) rune {
		if strings.ContainsRune("[]:%/", r) {
			return '_'
		}
		return r
	}, strings.TrimPrefix(o.to, "tls://"))
	return filepath.Join(p.Data, "export-"+place+"-"+o.format+".state"), err
}

// exportOrigin tells whose records these are.
func (c *cli) exportOrigin() (siem.Origin, error) {
	p, err := c.paths()
	if err != nil {
		return siem.Origin{}, err
	}
	var node protocol.NodeID
	switch id, err := identity.Load(p.Key); {
	case err == nil:
		node = id.NodeID()
	case !errors.Is(err, fs.ErrNotExist):
		return siem.Origin{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // it goes without
	}
	return siem.Origin{Node: node, Host: host, Version: version}, nil
}
