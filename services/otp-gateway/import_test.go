package otpgateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/api/restapi"
	"matriq/pkg/rest/resttest"
	"matriq/pkg/rpc"
)

// importAll lists whatever has an @ between two characters, as otp does with
// stricter rules.
func importAll(args []json.RawMessage) (any, error) {
	var emails []string
	if err := json.Unmarshal(args[0], &emails); err != nil {
		return nil, err
	}
	reply := otpapi.ImportReply{Rejected: []otpapi.Rejected{}}
	for i, email := range emails {
		switch local, domain, _ := strings.Cut(strings.TrimSpace(email), "@"); {
		case strings.HasPrefix(email, "old"):
			reply.Present++
		case local == "" || domain == "":
			reply.Rejected = append(reply.Rejected, otpapi.Rejected{Row: i + 1, Value: email, Reason: "bad_email"})
		default:
			reply.Added++
		}
	}
	return reply, nil
}

func importDesk(t *testing.T, settings ...string) *desk {
	t.Helper()
	return newDesk(t, resttest.Answers{"otp.create_email_list": importAll}, settings...)
}

// A list that stopped half-way counts as far as it came.
func TestImport_CountsRows(t *testing.T) {
	t.Parallel()
	d := importDesk(t, "MAX_IMPORT_REJECTED=1")
	d.post(t, restapi.PathImport, jsonType, `{"emails":["a@x.th","old@x.th",7]}`)
	d.post(t, restapi.PathImport, "text/csv", "email\n\"\n\"\nb@x.th\n")
	want := `
# HELP matriq_import_rows_total Rows of imported lists, by what became of them.
# TYPE matriq_import_rows_total counter
matriq_import_rows_total{result="added"} 1
matriq_import_rows_total{result="present"} 1
matriq_import_rows_total{result="rejected"} 3
`
	if err := testutil.GatherAndCompare(d.metrics, strings.NewReader(want), "matriq_import_rows_total"); err != nil {
		t.Error(err)
	}
}

// Every good row is listed, every bad one is reported with its number, and
// nothing that a row holds ruins another.
func TestImport_Formats(t *testing.T) {
	t.Parallel()
	const csvType = "text/csv"
	for name, tc := range map[string]struct{ contentType, body, want string }{
		"JSON":                   {jsonType, `{"emails":["a@x.th","b@","old@x.th"]}`, `{"results":1,"added":1,"present":1,"rejected":[{"row":2,"value":"b@","reason":"bad_email"}]}`},
		"JSON, nothing in it":    {jsonType, `{"emails":[]}`, `{"results":0,"added":0,"present":0,"rejected":[]}`},
		"JSON, wrong types":      {jsonType, `{"emails":["a@x.th",7,null,["b@x.th"],{"e":"c@x.th"},"d@x.th"]}`, `{"results":2,"added":2,"present":0,"rejected":[{"row":2,"value":"7","reason":"wrong_type"},{"row":3,"value":"null","reason":"wrong_type"},{"row":4,"value":"[\"b@x.th\"]","reason":"wrong_type"},{"row":5,"value":"{\"e\":\"c@x.th\"}","reason":"wrong_type"}]}`},
		"JSON, empty strings":    {jsonType, `{"emails":["","a@x.th"]}`, `{"results":1,"added":1,"present":0,"rejected":[{"row":1,"value":"","reason":"bad_email"}]}`},
		"JSON, spread":           {jsonType, "\n{ \"emails\" :\r\n[ \"a@x.th\" ,\n\t\"b@x.th\" ] }\n", `{"results":2,"added":2,"present":0,"rejected":[]}`},
		"one a line":             {csvType, "a@x.th\nb@x.th\n", `{"results":2,"added":2,"present":0,"rejected":[]}`},
		"no newline at the end":  {csvType, "a@x.th\nb@x.th", `{"results":2,"added":2,"present":0,"rejected":[]}`},
		"nothing":                {csvType, "", `{"results":0,"added":0,"present":0,"rejected":[]}`},
		"only a header":          {csvType, "email\n", `{"results":0,"added":0,"present":0,"rejected":[]}`},
		"CRLF":                   {csvType, "email\r\na@x.th\r\nb@\r\n", `{"results":1,"added":1,"present":0,"rejected":[{"row":3,"value":"b@","reason":"bad_email"}]}`},
		"byte order mark":        {csvType, "\ufeffemail\na@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[]}`},
		"mark without a header":  {csvType, "\ufeffa@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[]}`},
		"a column":               {csvType, "id,Name,E-Mail\n1,Mana,a@x.th\n2,Manee,b@x.th\n", `{"results":2,"added":2,"present":0,"rejected":[]}`},
		"a Thai column":          {csvType, "ชื่อ;อีเมล\nมานะ;a@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[]}`},
		"tabs":                   {csvType, "name\temail\nMana\ta@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[]}`},
		"quotes":                 {csvType, "name,email\n\"Jaidee, Mana\",\"a@x.th\"\n", `{"results":1,"added":1,"present":0,"rejected":[]}`},
		"a quoted header":        {csvType, "\"name\",\"email\"\nMana,a@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[]}`},
		"an open quote":          {csvType, "email\n\"a@x.th\nb@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[{"row":2,"value":"\"a@x.th","reason":"bad_quotes"}]}`},
		"an open quote at first": {csvType, "\"a@x.th\nb@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[{"row":1,"value":"\"a@x.th","reason":"bad_quotes"}]}`},
		"a short row":            {csvType, "name,email\nMana\nManee,b@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[{"row":2,"value":"","reason":"bad_email"}]}`},
		"empty lines":            {csvType, "\n\nemail\n\na@x.th\n  \nb@\n", `{"results":1,"added":1,"present":0,"rejected":[{"row":7,"value":"b@","reason":"bad_email"}]}`},
		"no header, columns":     {csvType, "a@x.th,Mana\nb@x.th,Manee\n", `{"results":2,"added":2,"present":0,"rejected":[]}`},
		"a trailing comma":       {csvType, "a@x.th,\n", `{"results":1,"added":1,"present":0,"rejected":[]}`},
		"an unknown header":      {csvType, "รายชื่อ\na@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[{"row":1,"value":"รายชื่อ","reason":"bad_email"}]}`},
		"an endless line":        {csvType, strings.Repeat("x", 10_000) + "\na@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[{"row":1,"value":"` + strings.Repeat("x", 100) + `","reason":"row_too_long"}]}`},
		"the longest line":       {csvType, strings.Repeat("x", 4095) + "\na@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[{"row":1,"value":"` + strings.Repeat("x", 100) + `","reason":"bad_email"}]}`},
		"cut by characters":      {csvType, strings.Repeat("ก", 200) + "\n", `{"results":0,"added":0,"present":0,"rejected":[{"row":1,"value":"` + strings.Repeat("ก", 100) + `","reason":"bad_email"}]}`},
		"with parameters":        {"text/csv; charset=utf-8; header=present", "email\na@x.th\n", `{"results":1,"added":1,"present":0,"rejected":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resttest.WantBody(t, importDesk(t).post(t, "/create_email_list", tc.contentType, tc.body), tc.want)
		})
	}
}

// What the reader hands over does not depend on where the network cut it.
func TestImport_ByteByByte(t *testing.T) {
	t.Parallel()
	for contentType, body := range map[string]string{
		"text/csv": "\ufeffอีเมล\r\na@x.th\r\n" + strings.Repeat("x", 9000) + "\r\nb@x.th",
		jsonType:   `{"emails":["a@x.th","b@x.th",7]}`,
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			d := importDesk(t)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/create_email_list", iotest.OneByteReader(strings.NewReader(body)))
			r.Header.Set("Content-Type", contentType)
			r.SetBasicAuth("loader", "load my list please")
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			report := reportOf(t, w)
			if report.Added != 2 || len(report.Rejected) != 1 || report.Rejected[0].Row != 3 {
				t.Errorf("report = %+v, want 2 added and row 3 rejected", report)
			}
		})
	}
}

func reportOf(t *testing.T, w *httptest.ResponseRecorder) restapi.ImportReply {
	t.Helper()
	var report restapi.ImportReply
	if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil || w.Code != http.StatusOK {
		t.Fatalf("answer = %d %s, want a report: %v", w.Code, w.Body, err)
	}
	return report
}

// A list that breaks off is told where, and what was done before that.
func TestImport_BreaksOff(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		contentType, body string
		status            int
		reason            string
		rows              string
	}{
		"a missing comma":    {jsonType, `{"emails":["a@x.th","b@" "c@x.th"]}`, 400, "bad_json", "2 rows"},
		"cut":                {jsonType, `{"emails":["a@x.th","b@","c@x`, 400, "bad_json", "2 rows"},
		"no end of the list": {jsonType, `{"emails":["a@x.th","b@"`, 400, "bad_json", "2 rows"},
		"trailing":           {jsonType, `{"emails":["a@x.th","b@"]}{}`, 400, "bad_json", "2 rows"},
		"a second list":      {jsonType, `{"emails":["a@x.th","b@"],"emails":[]}`, 400, "duplicate_key", "2 rows"},
		"another key":        {jsonType, `{"emails":["a@x.th","b@"],"more":1}`, 422, "unknown_field", "2 rows"},
		"an endless row":     {jsonType, `{"emails":["a@x.th","b@","` + strings.Repeat("x", 10_000) + `"]}`, 400, "bad_json", "2 rows"},
		"too long, JSON":     {jsonType, `{"emails":["a@x.th","b@",` + strings.Repeat(" ", 4000) + strings.Repeat(`"old@x.th",`, 2000) + `""]}`, 413, "body_too_large", "rows"},
		"too long, CSV":      {"text/csv", "a@x.th\nb@\n" + strings.Repeat("old@x.th\n", 2000), 413, "body_too_large", "rows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := importDesk(t, "MAX_IMPORT_BYTES=12000")
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/create_email_list", strings.NewReader(tc.body))
			r.ContentLength = -1
			r.Header.Set("Content-Type", tc.contentType)
			r.SetBasicAuth("loader", "load my list please")
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			p := resttest.WantProblem(t, w, tc.status, tc.reason)
			if !strings.Contains(p.Detail, tc.rows) {
				t.Errorf("detail = %q, want how many rows were read", p.Detail)
			}
			if p.Report == nil || p.Report.Added != 1 || p.Report.Results != 1 || len(p.Report.Rejected) != 1 || p.Report.Rejected[0].Row != 2 {
				t.Errorf("report = %+v, want one added and row 2 rejected", p.Report)
			}
		})
	}
}

func TestImport_OtpIsGone(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	d := newDesk(t, resttest.Answers{
		"otp.create_email_list": func(args []json.RawMessage) (any, error) {
			if calls.Add(1) == 1 {
				return importAll(args)
			}
			return nil, rpc.Errorf(rpc.Unavailable, "redis")
		},
	})
	w := d.post(t, "/create_email_list", "text/csv", strings.Repeat("a@x.th\n", 20*otpapi.MaxImport))
	p := resttest.WantProblem(t, w, http.StatusServiceUnavailable, "unavailable")
	if w.Header().Get("Retry-After") == "" || p.Report == nil || p.Report.Added != otpapi.MaxImport {
		t.Errorf("problem = %+v with Retry-After %q, want what the first part added", p, w.Header().Get("Retry-After"))
	}
	if got := calls.Load(); got > 6 {
		t.Errorf("otp was asked %d times, want a stop soon after the first failure", got)
	}
}

// A report that makes no sense is a fault and not a wrong row.
func TestImport_OtpReportsARowThatIsNot(t *testing.T) {
	t.Parallel()
	for _, row := range []int{0, 2, -1} {
		d := newDesk(t, resttest.Answers{
			"otp.create_email_list": resttest.Fixed(otpapi.ImportReply{Rejected: []otpapi.Rejected{{Row: row}}}),
		})
		resttest.WantProblem(t, d.post(t, "/create_email_list", "text/csv", "a@x.th\n"), http.StatusInternalServerError, "internal")
	}
}

func TestImport_TooManyRejected(t *testing.T) {
	t.Parallel()
	exactly := importDesk(t, "MAX_IMPORT_REJECTED=3").post(t, "/create_email_list", jsonType, `{"emails":[1,2,3,"a@x.th"]}`)
	if report := reportOf(t, exactly); report.Added != 1 || len(report.Rejected) != 3 {
		t.Errorf("report = %+v", report)
	}
	more := importDesk(t, "MAX_IMPORT_REJECTED=3").post(t, "/create_email_list", jsonType, `{"emails":["a@x.th",1,2,3,4,"b@x.th"]}`)
	p := resttest.WantProblem(t, more, http.StatusUnprocessableEntity, "too_many_rejected")
	if p.Report == nil || p.Report.Added != 1 || len(p.Report.Rejected) != 4 {
		t.Errorf("report = %+v, want one added and four rejected", p.Report)
	}
}

// upload sends a CSV of unknown length.
func (d *desk) upload(t *testing.T, list io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/create_email_list", list)
	r.Header.Set("Content-Type", "text/csv")
	r.SetBasicAuth("loader", "load my list please")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// numbered yields n addresses as CSV without holding them, every tenth bad.
type numbered struct {
	n, at int
	rest  string
}

func (l *numbered) Read(p []byte) (int, error) {
	if l.rest == "" {
		if l.at == l.n {
			return 0, io.EOF
		}
		l.at++
		l.rest = fmt.Sprintf("student%07d@x.th\n", l.at)
		if l.at%10 == 0 {
			l.rest = fmt.Sprintf("nobody%d\n", l.at)
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// 100,000 addresses are listed with an exact report, in parts that otp takes.
func TestImport_HundredThousand(t *testing.T) {
	t.Parallel()
	const n = 100_000
	d := importDesk(t)
	w := d.upload(t, &numbered{n: n})
	report := reportOf(t, w)
	if report.Added != n*9/10 || report.Results != report.Added || len(report.Rejected) != n/10 {
		t.Fatalf("report = %d added, %d rejected", report.Added, len(report.Rejected))
	}
	for i, bad := range report.Rejected {
		if want := (i + 1) * 10; bad.Row != want || bad.Value != fmt.Sprintf("nobody%d", want) {
			t.Fatalf("rejected[%d] = %+v, want row %d", i, bad, want)
		}
	}
	if got := len(d.bus.Sent()); got != n/otpapi.MaxImport {
		t.Errorf("%d parts, want %d", got, n/otpapi.MaxImport)
	}
}

// While otp is slow the list is not read on: four parts are under way, and no
// more is held than the next one.
func TestImport_WaitsForOtp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 100_000
		var inside atomic.Int32
		open := make(chan struct{})
		d := newDesk(t, resttest.Answers{
			"otp.create_email_list": func(args []json.RawMessage) (any, error) {
				inside.Add(1)
				<-open
				return importAll(args)
			},
		})
		list := &numbered{n: n}
		answered := make(chan *httptest.ResponseRecorder)
		go func() { answered <- d.upload(t, list) }()
		synctest.Wait()
		if inside.Load() != 4 || list.at > 6*otpapi.MaxImport {
			t.Errorf("%d parts under way, %d rows read; want 4 and no more than a part ahead", inside.Load(), list.at)
		}
		close(open)
		if report := reportOf(t, <-answered); report.Added != n*9/10 {
			t.Errorf("added %d", report.Added)
		}
	})
}

// A list ten times as long needs no more memory.
func TestImport_MemoryIsFlat(t *testing.T) { //nolint:paralleltest // it measures the heap of the whole process
	heap := func(n int) uint64 {
		var top atomic.Uint64
		var d *desk
		d = newDesk(t, resttest.Answers{
			"otp.create_email_list": func(args []json.RawMessage) (any, error) {
				var s runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&s)
				top.Store(max(top.Load(), s.HeapAlloc))
				d.bus.Forget()
				return otpapi.ImportReply{Added: strings.Count(string(args[0]), "@")}, nil
			},
		})
		if report := reportOf(t, d.upload(t, &numbered{n: n})); report.Added != n*9/10 {
			t.Fatalf("added %d of %d", report.Added, n)
		}
		return top.Load()
	}
	small, large := heap(20_000), heap(200_000)
	if large > small+4<<20 {
		t.Errorf("the heap grew from %d to %d bytes with ten times the rows", small, large)
	}
}

func TestImport_ClientLeaves(t *testing.T) {
	t.Parallel()
	d := importDesk(t)
	body := io.MultiReader(strings.NewReader("a@x.th\nb@x.th\n"), iotest.ErrReader(errors.New("connection reset by peer")))
	if p := resttest.WantProblem(t, d.upload(t, body), http.StatusBadRequest, "body_incomplete"); p.Report == nil || p.Report.Added != 2 {
		t.Errorf("report = %+v, want the two rows that arrived", p.Report)
	}
}
