package mailsink_test

import (
	"net/textproto"
	"testing"

	"matriq/pkg/mailsink"
)

// Commands that come in a group are answered one by one, faults included, and the
// connection bears the next group.
func TestPipelining(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stage mailsink.Stage
		want  [4]int // to RSET, MAIL, RCPT and DATA
	}{
		"no fault":          {"", [4]int{250, 250, 250, 354}},
		"sender refused":    {mailsink.StageMail, [4]int{250, 451, 502, 502}},
		"recipient refused": {mailsink.StageRcpt, [4]int{250, 250, 451, 502}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := mailsink.New(mailsink.Options{})
			addr := serve(t, sink)
			if ok, _ := dial(t, addr).Extension("PIPELINING"); !ok {
				t.Error("PIPELINING is not announced")
			}
			conn, err := textproto.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() // it may be closed already
			expect := func(command string, codes ...int) {
				t.Helper()
				if err := conn.PrintfLine("%s", command); err != nil {
					t.Fatal(err)
				}
				for i, want := range codes {
					if _, _, err := conn.ReadResponse(want); err != nil {
						t.Errorf("answer %d to %q: %v, want %d", i, command, err, want)
					}
				}
			}
			const group = "RSET\r\nMAIL FROM:<a@x.th>\r\nRCPT TO:<b@x.th>\r\nDATA"
			expect("EHLO localhost", 220, 250)
			sink.Inject(mailsink.Fault{Stage: c.stage, Action: mailsink.Refuse, Code: 451, Times: 1})
			expect(group, c.want[:]...)
			if c.want[3] != 354 {
				expect(group, 250, 250, 250, 354)
			}
			expect("Subject: one\r\n\r\ntext\r\n.", 250)
			if sink.Count() != 1 {
				t.Errorf("%d mails, want 1", sink.Count())
			}
		})
	}
}
