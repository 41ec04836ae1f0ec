package otpgateway

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/api/restapi"
	"matriq/pkg/rest"
)

// importsAtOnce is how many parts of one list are with otp at a time. Reading
// waits for them, so that a list of any length needs the memory of a few parts.
const importsAtOnce = 4

// row is one address of a list, or why it is none.
type row struct {
	number int // from 1
	value  string
	reason string // not empty: rejected here, before otp has seen it
}

// rows yields a list row by row. An error ends it.
type rows = iter.Seq2[row, error]

// importList handles POST /create_email_list.
func (g *Gateway) importList(r *http.Request, mediaType string) (restapi.ImportReply, error) {
	list := jsonRows(r.Body)
	if mediaType == mediaCSV {
		list = csvRows(r.Body)
	}
	im := &importing{bus: g.bus, maxRejected: g.cfg.MaxRejected}
	err := im.run(r.Context(), list)
	report := im.report()
	g.counts.add(report)
	if err != nil {
		told := *rest.AsError(err)
		told.Report = &report
		return restapi.ImportReply{}, &told
	}
	return report, nil
}

// importing is one import under way.
type importing struct {
	bus         Bus
	maxRejected int

	mu       sync.Mutex
	failed   error // of the first part that otp could not take
	added    int
	present  int
	rejected []restapi.Rejected
}

// run sends the list in parts. It stops at the first failure, after the parts
// under way are done, so that the report is exact for all that was sent.
func (im *importing) run(ctx context.Context, list rows) error {
	var parts errgroup.Group
	parts.SetLimit(importsAtOnce)
	broken := im.cut(list, func(part []row) {
		parts.Go(func() error { return im.send(ctx, part) })
	})
	if err := parts.Wait(); err != nil {
		return err
	}
	return broken
}

// cut gives the good rows to send in parts, those before a broken one included.
func (im *importing) cut(list rows, send func([]row)) (broken error) {
	part := make([]row, 0, otpapi.MaxImport)
	for next, err := range list {
		if err != nil {
			broken = err
			break
		}
		if next.reason != "" {
			im.reject(next, next.value, next.reason)
		} else {
			part = append(part, next)
		}
		if stop := im.mustStop(); stop != nil {
			broken = stop
			break
		}
		if len(part) == cap(part) {
			send(part)
			part = make([]row, 0, otpapi.MaxImport)
		}
	}
	if len(part) > 0 {
		send(part)
	}
	return broken
}

// mustStop tells why the rest of the list is not worth reading.
func (im *importing) mustStop() error {
	im.mu.Lock()
	defer im.mu.Unlock()
	if len(im.rejected) > im.maxRejected {
		return rest.Refuse(rest.TooManyRejected, "The import stopped at %d bad rows. Is it the right file?", len(im.rejected))
	}
	return im.failed
}

// send has one part listed and adds its report.
func (im *importing) send(ctx context.Context, part []row) error {
	if err := im.failure(); err != nil {
		return err
	}
	emails := make([]string, len(part))
	for i := range part {
		emails[i] = part[i].value
	}
	reply, err := otpapi.Import.Call(ctx, im.bus, otpapi.ImportRequest{Emails: emails})
	if err != nil {
		return im.fail(fmt.Errorf("import rows %d to %d: %w", part[0].number, part[len(part)-1].number, err))
	}
	for _, bad := range reply.Rejected {
		if bad.Row < 1 || bad.Row > len(part) {
			return im.fail(fmt.Errorf("otp rejects row %d of %d", bad.Row, len(part)))
		}
		im.reject(part[bad.Row-1], bad.Value, bad.Reason)
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	im.added += reply.Added
	im.present += reply.Present
	return nil
}

func (im *importing) failure() error {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.failed
}

func (im *importing) fail(err error) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.failed = err
	return err
}

func (im *importing) reject(r row, value, reason string) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.rejected = append(im.rejected, restapi.Rejected{Row: r.number, Value: cutValue(value), Reason: reason})
}

// report returns what is done, the rejected rows in the order of the list.
func (im *importing) report() restapi.ImportReply {
	im.mu.Lock()
	defer im.mu.Unlock()
	slices.SortFunc(im.rejected, func(a, b restapi.Rejected) int { return cmp.Compare(a.Row, b.Row) })
	return restapi.ImportReply{
		Results:  im.added,
		Added:    im.added,
		Present:  im.present,
		Rejected: append([]restapi.Rejected{}, im.rejected...),
	}
}

// maxValue is how many characters of a bad row are reported.
const maxValue = 100

func cutValue(value string) string {
	if characters := []rune(value); len(characters) > maxValue {
		return string(characters[:maxValue])
	}
	return value
}
