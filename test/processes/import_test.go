package processes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

// list is a large list with known faults, and the report that it must get.
type list struct {
	rows []string
	want restapi.ImportReply
}

// makeList has n rows: mostly new addresses, and at fixed places repeats,
// addresses written differently, and rows that are no address. first is the
// number of the first row.
func makeList(domain string, n, first int) list {
	var l list
	newest := ""
	for i := range n {
		row, bad := fmt.Sprintf("student%06d@%s", i, domain), false
		switch i % 100 {
		case 20: // the same again
			row = newest
		case 40: // the same, written differently
			row = "  " + strings.ToUpper(newest) + "\t"
		case 60:
			row, bad = fmt.Sprintf("student%06d.%s", i, domain), true
		case 80:
			row, bad = fmt.Sprintf("student %d@%s", i, domain), true
		default:
			newest = row
		}
		l.rows = append(l.rows, row)
		switch {
		case bad:
			l.want.Rejected = append(l.want.Rejected, restapi.Rejected{Row: first + i, Value: row, Reason: "bad_email"})
		case i%100 == 20, i%100 == 40:
			l.want.Present++
		default:
			l.want.Added++
		}
	}
	l.want.Results = l.want.Added
	return l
}

// A list of 100,000 gets an exact report, as CSV and as JSON, and a bad row
// stops no good one.
func TestImport_LargeList(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, 1)
	g := s.Gateways()
	const n = 100_000

	t.Run("csv", func(t *testing.T) { //nolint:paralleltest // the counts of one list at a time
		l := makeList("csv.ac.th", n, 2)
		csv := bytes.NewBufferString("name,email\r\n")
		for i, row := range l.rows {
			fmt.Fprintf(csv, "Student %d,%s\r\n", i, row)
		}
		check(t, g.Post(t, g.OTP+restapi.PathImport, "text/csv", csv), l.want)
	})
	t.Run("json", func(t *testing.T) { //nolint:paralleltest // the counts of one list at a time
		l := makeList("json.ac.th", n, 1)
		body, err := json.Marshal(restapi.ImportRequest{Emails: l.rows})
		if err != nil {
			t.Fatal(err)
		}
		check(t, g.Post(t, g.OTP+restapi.PathImport, "application/json", bytes.NewReader(body)), l.want)

		again := l.want
		again.Present, again.Added, again.Results = l.want.Added+l.want.Present, 0, 0
		check(t, g.Post(t, g.OTP+restapi.PathImport, "application/json", bytes.NewReader(body)), again)
	})
}

func check(t *testing.T, answer harness.Answer, want restapi.ImportReply) {
	t.Helper()
	var got restapi.ImportReply
	answer.Into(t, &got)
	if got.Results != want.Results || got.Added != want.Added || got.Present != want.Present {
		t.Errorf("report is results %d, added %d, present %d; want %d, %d, %d",
			got.Results, got.Added, got.Present, want.Results, want.Added, want.Present)
	}
	if !reflect.DeepEqual(got.Rejected, want.Rejected) {
		t.Errorf("%d rows rejected, want %d; first is %+v, want %+v", len(got.Rejected), len(want.Rejected), head(got.Rejected), head(want.Rejected))
	}
}

func head(rows []restapi.Rejected) restapi.Rejected {
	if len(rows) == 0 {
		return restapi.Rejected{}
	}
	return rows[0]
}
