package netlab

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Capture records what crosses a host's interface.
type Capture struct {
	host   *Host
	path   string
	cmd    *exec.Cmd
	text   chan string // what tcpdump printed, once it has ended
	closed bool
	end    []byte // the mark
}

// Capture begins to record every packet that the host sends or receives into a file, and returns once it records.
func (h *Host) Capture(path string) (*Capture, error) {
	// Without --immediate-mode, which keeps room for the longest packet for each, so that a burst does not fit. -Z root: it would give up the right to write the file. -p: eth0 leads to no packets of others anyway.
	cmd := h.Command(context.Background(), "tcpdump", "-i", "eth0", "-p", "-n", "-U", "-s", "0", "-B", "16384", "-Z", "root", "-w", path)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Capture{host: h, path: path, cmd: cmd, text: make(chan string, 1)}
	ready := make(chan struct{})
	go func() {
		var all strings.Builder
		lines := bufio.NewScanner(stderr)
		waiting := true
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
			if waiting && strings.Contains(lines.Text(), "listening on") {
				waiting = false
				close(ready)
			}
		}
		c.text <- all.String()
	}()
	select {
	case <-ready:
		return c, nil
	case text := <-c.text:
		return nil, errors.Join(fmt.Errorf("tcpdump ended at once: %s", text), cmd.Wait())
	case <-time.After(30 * time.Second):
		return nil, errors.Join(errors.New("tcpdump does not begin"), cmd.Process.Kill(), cmd.Wait())
	}
}

var dropped = regexp.MustCompile(`(\d+) packets? dropped by kernel`)

// Stop ends the recording and returns what was recorded. Packets that were missed are an error.
func (c *Capture) Stop() ([]Packet, error) {
	if !c.closed {
		c.closed = true
		mark, err := c.mark()
		if err != nil {
			return nil, err
		}
		if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
			return nil, err
		}
		text := <-c.text
		if err := c.cmd.Wait(); err != nil {
			return nil, fmt.Errorf("tcpdump: %w: %s", err, text)
		}
		if m := dropped.FindStringSubmatch(text); m == nil || m[1] != "0" {
			return nil, fmt.Errorf("the capture is not complete: %s", text)
		}
		c.end = mark
	}
	data, err := os.ReadFile(c.path)
	if err != nil {
		return nil, err
	}
	packets, err := ReadCapture(data)
	// The mark itself, and the switch's answer that nobody listens there, were not part of what was to be seen.
	return slices.DeleteFunc(packets, func(p Packet) bool { return bytes.Contains(p.Frame, c.end) }), err
}

// mark sends a packet to the switch and waits until it is in the file, so that all that came before is there too: tcpdump
// throws away what waits when it ends.
func (c *Capture) mark() ([]byte, error) {
	mark := []byte("end of capture " + rand.Text())
	if err := c.host.Run("bash", "-c", "echo '"+string(mark)+"' > /dev/udp/"+Gateway.String()+"/9"); err != nil && !strings.Contains(err.Error(), "refused") {
		return nil, err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		data, err := os.ReadFile(c.path)
		if err != nil {
			return nil, err
		}
		if bytes.Contains(data, mark) {
			return mark, nil
		}
	}
	return nil, fmt.Errorf("the end of the capture of %s was not recorded", c.host.Addr)
}
