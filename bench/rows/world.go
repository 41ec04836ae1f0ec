package rows

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	_ "github.com/go-sql-driver/mysql" // looks into the outbox

	"matriq/bench/child"
	"matriq/bench/peer"
	"matriq/bench/stand"
	"matriq/pkg/api/restapi"
)

// world is the seven services with a mail server, and people who may register.
type world struct {
	suite    *stand.Suite
	mail     *child.Child
	crowd    *child.Child
	boxes    peer.Mailboxes
	students *sql.DB
	done     int // registrations of people in a closed loop
}

// newWorld starts everything and lists people as eligible.
func newWorld(ctx context.Context, b Bench, people int) (*world, error) {
	w := &world{}
	var err error
	if w.mail, err = b.Stand.Child(peer.RoleMail, "mail"); err != nil {
		return nil, err
	}
	if err := w.mail.Ask(ctx, peer.AskOpen, "", &w.boxes); err != nil {
		return nil, err
	}
	b.Plan.Say("compiling and starting the seven services")
	if w.suite, err = b.Stand.StartSuite(ctx, w.boxes.SMTP, nil, stand.Services()...); err != nil {
		return nil, err
	}
	if w.students, err = sql.Open("mysql", w.suite.StudentsDSN()); err != nil {
		return nil, err
	}
	if w.crowd, err = b.Stand.Child(peer.RoleLoad, "load"); err != nil {
		return nil, err
	}
	b.Plan.Say(fmt.Sprintf("listing %d addresses as eligible", people))
	return w, w.invite(ctx, 0, people)
}

// invite lists people and has the crowd begin with them.
func (w *world) invite(ctx context.Context, offset, people int) error {
	if err := w.list(ctx, offset, people); err != nil {
		return fmt.Errorf("list the eligible: %w", err)
	}
	return w.crowd.Ask(ctx, peer.AskOpen, peer.Crowd{
		OTP: w.suite.URL("otp-gateway"), Register: w.suite.URL("register-gateway"), UI: w.suite.URL("ui"),
		Codes: w.boxes.Codes, People: people, Offset: offset,
	}, nil)
}

// list posts the addresses as a CSV, as matriq import does.
func (w *world) list(ctx context.Context, offset, people int) error {
	var list bytes.Buffer
	if err := writeList(&list, offset, people); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.suite.URL("otp-gateway")+restapi.PathImport, &list)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/csv")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() // it was only read
	var report restapi.ImportReply
	if err := json.NewDecoder(res.Body).Decode(&report); err != nil || report.Added != people {
		return fmt.Errorf("the gateway answers %s, %d of %d added: %w", res.Status, report.Added, people, err)
	}
	return nil
}

func writeList(to io.Writer, offset, people int) error {
	rows := csv.NewWriter(to)
	if err := rows.Write([]string{"email"}); err != nil {
		return err
	}
	for i := range people {
		if err := rows.Write([]string{peer.Email(offset + i)}); err != nil {
			return err
		}
	}
	rows.Flush()
	return rows.Error()
}

// Time that what follows a registration may take once nobody comes any more.
const drainTimeout = 5 * time.Minute

// drained waits until every cast of the outbox is closed, which is when everybody
// is enrolled, confirmed and off the list.
func (w *world) drained(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		var open int
		if err := w.students.QueryRowContext(ctx, `SELECT COUNT(*) FROM outbox WHERE next_at IS NOT NULL`).Scan(&open); err != nil {
			return err
		}
		if open == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%d casts of the outbox are open after %v", open, drainTimeout)
		}
	}
}
