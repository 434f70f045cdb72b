package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/caro-mesh/caro-node/node/discovery"
	"github.com/caro-mesh/caro-node/node/host"
	"github.com/caro-mesh/caro-node/observer"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// validate checks what the file's syntax cannot. Each fault is one line that names the place, as place finds it for a
// key, and the key, and says what to do.
func (c *Config) validate(place func(key string) policy.Origin) error {
	var errs []error
	check := func(key string, err error) {
		if err == nil {
			return
		}
		if at := place(key); at.Source != "" {
			err = &policy.DocumentError{Source: at.Source, Line: at.Line, Err: err}
		}
		errs = append(errs, err)
	}
	check("node.name", protocol.CheckText("node.name", c.Node.Name, protocol.MaxDisplayName))
	_, err := host.ParseListen(c.Network.Listen, c.Network.AllowPublic)
	check("network.listen", err)
	_, err = discovery.ParseTargets(c.Network.StaticPeers, c.Network.AllowPublic)
	check("network.static_peers", named("network.static_peers", err))
	check("api.listen", named("api.listen", checkAPIListen(c.API.Listen)))
	_, err = observer.ParseIgnore(c.Observer.Ignore)
	check("observer.ignore", named("observer.ignore", err))
	check("observer.guard", oneOf("observer.guard", c.Observer.Guard, "off", "on"))
	check("storage.events_days", checkDays("storage.events_days", c.Storage.EventsDays))
	check("storage.summaries_days", checkDays("storage.summaries_days", c.Storage.SummariesDays))
	check("storage.audit_days", checkDays("storage.audit_days", c.Storage.AuditDays))
	check("log.level", oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error"))
	check("log.format", oneOf("log.format", c.Log.Format, "auto", "text", "json"))
	return errors.Join(append(errs, policyFaults(c.Policy, c.Source))...)
}

func named(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}

func checkDays(key string, days int) error {
	if days < 1 || days > 36_500 {
		return fmt.Errorf("%s: %d is not between 1 and 36500 days", key, days)
	}
	return nil
}

// oneOf reports a value that is none of those allowed.
func oneOf(key, value string, allowed ...string) error {
	list := ""
	for i, a := range allowed {
		switch {
		case a == value:
			return nil
		case i == 0:
		case i == len(allowed)-1:
			list += " or "
		default:
			list += ", "
		}
		list += strconv.Quote(a)
	}
	return fmt.Errorf("%s: unknown value %q (use %s)", key, value, list)
}

// policyFaults words the faults of the policy like the others: the person needs the whole path of the file, which the
// document leaves out because it would name the user in every audit record.
func policyFaults(doc policy.Document, path string) error {
	err := doc.Validate()
	list, ok := err.(interface{ Unwrap() []error }) // the list itself is wanted, not one error in it
	if !ok {
		return err
	}
	var errs []error
	for _, e := range list.Unwrap() {
		var fault *policy.DocumentError
		if errors.As(e, &fault) && fault.Source == doc.Source && path != "" {
			e = &policy.DocumentError{Source: path, Line: fault.Line, Err: fault.Err}
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// checkAPIListen keeps the local API local: it answers with raw commands.
func checkAPIListen(s string) error {
	if s == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf(`%q is not host:port such as "127.0.0.1:9237"`, s)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address; the local API shows raw commands and never listens elsewhere", s)
	}
	return nil
}
