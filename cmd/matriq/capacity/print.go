package capacity

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Print writes the plan for people.
func (p Plan) Print(w io.Writer) {
	fmt.Fprintf(w, "%s people in %s, %s a second, registering %s;\n", whole(p.People), span(p.For), whole(p.Arrivals), p.Way)
	if p.MailRate > 0 {
		fmt.Fprintf(w, "a mail relay that takes %s a second", whole(p.MailRate))
	} else {
		fmt.Fprint(w, "a mail relay that takes everything")
	}
	fmt.Fprintf(w, "; nodes of %d processors, used to %g %%\n\n", p.NodeCores, p.Use*100)
	p.table(w)
	fmt.Fprintln(w)
	if p.Waiting == 0 {
		fmt.Fprintf(w, "Nobody waits: the relay takes the mails of all as they come.\n")
		return
	}
	fmt.Fprintf(w, "The waiting page: up to %s people wait. Told to come again after %s, they ask\n", whole(p.Waiting), span(p.RetryAfter))
	fmt.Fprintf(w, "  for %s pages a second, which take %.1f processors besides, without TLS.\n", whole(p.Pages), p.PageCores)
	fmt.Fprintf(w, "The mail quota: admits %s a second, so that the last of them has registered after\n", whole(p.Admitted.Rate))
	fmt.Fprintf(w, "  %s. All as they come would take %s mails a second.\n", span(p.Done), whole(p.All.Mails))
	fmt.Fprintf(w, "The cluster: nodes for those who are admitted: %d; for all as they come: %d.\n", p.Admitted.Nodes, p.All.Nodes)
}

func (p Plan) table(w io.Writer) {
	c := Costs(p.Way)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")+"\t") }
	row(pad(""), "a registration", "as admitted", "all as they come")
	line := func(name string, each, admitted, all float64) {
		row(pad(name), number(each), whole(admitted)+"/s", whole(all)+"/s")
	}
	a, b := p.Admitted, p.All
	line("registrations", 1, a.Rate, b.Rate)
	line("mails", c.Mails, a.Mails, b.Mails)
	line("calls between services", c.Calls, a.Calls, b.Calls)
	line("casts", c.Casts, a.Casts, b.Casts)
	line("events", c.Events, a.Events, b.Events)
	line("messages at the broker", c.Messages(), a.Messages, b.Messages)
	line("commits at MariaDB", c.Commits, a.Commits, b.Commits)
	line("commands at Redis", c.Redis, a.Redis, b.Redis)
	total := 0.0
	for _, program := range Programs() {
		if ms, ok := c.CPU[program]; ok {
			total += ms
			row(pad("processors: "+program), fmt.Sprintf("%.2f ms", ms), fmt.Sprintf("%.1f", a.Cores[program]), fmt.Sprintf("%.1f", b.Cores[program]))
		}
	}
	row(pad("processors, all"), fmt.Sprintf("%.2f ms", total), fmt.Sprintf("%.1f", a.TotalCores), fmt.Sprintf("%.1f", b.TotalCores))
	row(pad("nodes"), "", strconv.Itoa(a.Nodes), strconv.Itoa(b.Nodes))
	_ = t.Flush() // as every Fprintf to w
}

func pad(name string) string { return fmt.Sprintf("%-28s", name) }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// whole writes a number with commas, and with a decimal where it is small.
func whole(v float64) string {
	if v < 10 && v != math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// span writes a time to the second.
func span(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
