// Package netlab builds a network of its own for tests: hosts in network namespaces on a virtual switch, which is in a
// namespace too, so that neither the machine's interfaces nor its firewall are touched. It needs Linux, root, iproute2
// and nftables, and tcpdump for captures; [Permitted] says what is missing.
//
// Host i (from 1) has the interface eth0 with 10.77.0.<i>/24 and an IPv6 link-local address, and a default route to the
// switch at 10.77.0.254, which forwards nothing: what a program sends elsewhere is seen in a capture and goes nowhere.
// Names carry the process ID, so that parallel runs do not collide and what a killed run left is removed by the next one.
package netlab

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Gateway is the switch's own address.
var Gateway = netip.MustParseAddr("10.77.0.254")

// Subnet holds all hosts.
var Subnet = netip.MustParsePrefix("10.77.0.0/24")

const (
	prefix   = "carolab-"
	maxHosts = 200
)

// Lab is one network. It is not safe for concurrent use, but for the commands of its hosts.
type Lab struct {
	name   string // of the switch's namespace, and the beginning of the hosts'
	hosts  []*Host
	rules  bool // the table for lost packets exists
	loss   int  // percent
	groups [][]*Host
}

// Host is one machine of the network.
type Host struct {
	Index     int // from 1
	Addr      netip.Addr
	lab       *Lab
	namespace string
}

// Permitted returns why there can be no lab here, or nil.
var Permitted = sync.OnceValue(permitted)

func permitted() error {
	if runtime.GOOS != "linux" {
		return errors.New("the network lab needs Linux")
	}
	if os.Geteuid() != 0 {
		return errors.New("the network lab needs root, for network namespaces")
	}
	for program, pkg := range map[string]string{"ip": "iproute2", "nft": "nftables", "tcpdump": "tcpdump"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("the network lab needs %s; install %s", program, pkg)
		}
	}
	probe := prefix + "probe-" + strconv.Itoa(os.Getpid())
	if err := run("ip", "netns", "add", probe); err != nil {
		return fmt.Errorf("the network lab may make no network namespace here: %w", err)
	}
	return run("ip", "netns", "del", probe)
}

// New builds a network of n hosts. Close removes it.
func New(n int) (_ *Lab, err error) {
	if n < 1 || n > maxHosts {
		return nil, fmt.Errorf("a lab has 1 to %d hosts, not %d", maxHosts, n)
	}
	if err := reap(); err != nil {
		return nil, err
	}
	var tag [3]byte
	_, _ = rand.Read(tag[:]) // never fails
	l := &Lab{name: fmt.Sprintf("%s%d-%s", prefix, os.Getpid(), hex.EncodeToString(tag[:]))}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := run("ip", "netns", "add", l.name); err != nil {
		return nil, err
	}
	// Without snooping the switch floods every multicast packet, as most do.
	if err := l.batch(`link set dev lo up
link add name br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0
addr add ` + Gateway.String() + `/24 dev br0
link set dev br0 up`); err != nil {
		return nil, err
	}
	for i := range n {
		if err := l.addHost(i + 1); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Lab) addHost(i int) error {
	h := &Host{Index: i, Addr: netip.AddrFrom4([4]byte{10, 77, 0, byte(i)}), lab: l, namespace: fmt.Sprintf("%s-%d", l.name, i)}
	if err := run("ip", "netns", "add", h.namespace); err != nil {
		return err
	}
	l.hosts = append(l.hosts, h)
	port := h.port()
	if err := l.batch(fmt.Sprintf("link add name %s type veth peer name eth0 netns %s\nlink set dev %s master br0 up", port, h.namespace, port)); err != nil {
		return err
	}
	// An address is usable at once, instead of after a second of looking for another machine that has it. Without the first
	// address of a network the others stay, as on most systems.
	if err := h.Run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad; echo 1 > /proc/sys/net/ipv4/conf/all/promote_secondaries"); err != nil {
		return err
	}
	return h.batch(fmt.Sprintf("link set dev lo up\naddr add %s/24 dev eth0\nlink set dev eth0 up\nroute add default via %s", h.Addr, Gateway))
}

// Hosts returns the hosts, in order.
func (l *Lab) Hosts() []*Host { return l.hosts }

// Close ends every process in the network and removes it. It may be called more than once.
func (l *Lab) Close() error {
	var errs []error
	for _, h := range l.hosts {
		errs = append(errs, remove(h.namespace))
	}
	l.hosts = nil
	return errors.Join(append(errs, remove(l.name))...)
}

// reap removes what runs of processes left that do not exist any more.
func reap() error {
	found, err := filepath.Glob("/run/netns/" + prefix + "*")
	if err != nil {
		return err
	}
	for _, path := range found {
		name := filepath.Base(path)
		pid, err := strconv.Atoi(strings.SplitN(strings.TrimPrefix(name, prefix), "-", 2)[0])
		if err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		if err := remove(name); err != nil {
			return err
		}
	}
	return nil
}

// remove ends the processes in a namespace of this package and deletes it, if it exists.
func remove(namespace string) error {
	if _, err := os.Stat("/run/netns/" + namespace); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	out, err := exec.Command("ip", "netns", "pids", namespace).Output() //nolint:noctx // ends by itself
	if err == nil {
		for _, f := range strings.Fields(string(out)) {
			if pid, err := strconv.Atoi(f); err == nil && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended just now
			}
		}
	}
	return run("ip", "netns", "del", namespace)
}

// port is the switch's end of the host's cable.
func (h *Host) port() string { return fmt.Sprintf("port%d", h.Index) }

// Wrap are the words before a command line that make it run on the host.
func (h *Host) Wrap() []string { return []string{"ip", "netns", "exec", h.namespace} }

// Command returns a command that runs on the host.
func (h *Host) Command(ctx context.Context, args ...string) *exec.Cmd {
	words := append(h.Wrap(), args...)
	return exec.CommandContext(ctx, words[0], words[1:]...)
}

// Run runs a command on the host.
func (h *Host) Run(args ...string) error { return run(append(h.Wrap(), args...)...) }

// AddAddr gives the host's interface a further address, such as 10.77.0.99/24.
func (h *Host) AddAddr(a netip.Prefix) error { return h.batch("addr add " + a.String() + " dev eth0") }

// DelAddr takes it away.
func (h *Host) DelAddr(a netip.Prefix) error { return h.batch("addr del " + a.String() + " dev eth0") }

// Unplug takes the host's cable out of the switch: it notices, and nothing of it arrives anywhere any more.
func (h *Host) Unplug() error { return h.lab.batch("link set dev " + h.port() + " down") }

// Plug puts the cable in again.
func (h *Host) Plug() error { return h.lab.batch("link set dev " + h.port() + " up") }

// Part keeps the groups from hearing each other, which no interface notices, as when a cable between two switches is cut.
// Hosts that are in no group are not concerned.
func (l *Lab) Part(groups ...[]*Host) error {
	l.groups = groups
	return l.filter()
}

// Heal ends a partition.
func (l *Lab) Heal() error { return l.Part() }

// Lose makes the switch drop so many of a hundred packets.
func (l *Lab) Lose(percent int) error {
	l.loss = percent
	return l.filter()
}

// filter writes the switch's rules anew.
func (l *Lab) filter() error {
	var b strings.Builder
	if l.rules {
		b.WriteString("delete table bridge lab\n")
	}
	b.WriteString("table bridge lab {\n chain forward {\n  type filter hook forward priority 0; policy accept;\n")
	for i, from := range l.groups {
		for j, to := range l.groups {
			if i != j && len(from) > 0 && len(to) > 0 {
				fmt.Fprintf(&b, "  iifname { %s } oifname { %s } drop\n", ports(from), ports(to))
			}
		}
	}
	switch {
	case l.loss >= 100:
		b.WriteString("  drop\n")
	case l.loss > 0:
		fmt.Fprintf(&b, "  numgen random mod 100 < %d drop\n", l.loss)
	}
	b.WriteString(" }\n}\n")
	cmd := exec.Command("ip", "netns", "exec", l.name, "nft", "-f", "-") //nolint:noctx // ends by itself
	cmd.Stdin = strings.NewReader(b.String())
	if err := finish(cmd); err != nil {
		return err
	}
	l.rules = true
	return nil
}

func ports(hosts []*Host) string {
	var names []string
	for _, h := range hosts {
		names = append(names, strconv.Quote(h.port()))
	}
	return strings.Join(names, ", ")
}

// batch runs ip commands in the switch's namespace.
func (l *Lab) batch(commands string) error { return batch(l.name, commands) }

func (h *Host) batch(commands string) error { return batch(h.namespace, commands) }

func batch(namespace, commands string) error {
	cmd := exec.Command("ip", "-n", namespace, "-batch", "-") //nolint:noctx // ends by itself
	cmd.Stdin = strings.NewReader(commands + "\n")
	return finish(cmd)
}

func run(words ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return finish(exec.CommandContext(ctx, words[0], words[1:]...))
}

func finish(cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}
