package rows

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"matriq/bench/measure"
)

func imports() Row {
	return Row{
		Name: "import", Title: "Import of a million addresses",
		About: "matriq import sends a CSV to the otp-gateway, which has otp list the addresses in Redis. Memory is the most that " +
			"each of the three had resident meanwhile, read ten times a second.",
		Measure: measureImport,
	}
}

const million = 1_000_000

func measureImport(ctx context.Context, b Bench, tell func(measure.Result)) error {
	w, err := newWorld(ctx, b, 1)
	if err != nil {
		return err
	}
	b.Plan.Say("compiling matriq")
	if err := b.Stand.Compile(ctx, "matriq"); err != nil {
		return err
	}
	addresses := million
	if b.Quick {
		addresses = 1000
	}
	offset := 1
	run := func(ctx context.Context, _ time.Duration) (measure.Sample, error) {
		offset += addresses // a list that is new each time
		return w.importing(ctx, b, offset, addresses)
	}
	b.Plan.WarmUp, b.Plan.Rounds = 0, min(b.Plan.Rounds, 3)
	c := measure.Case{
		Name: fmt.Sprintf("%d addresses", addresses), Contenders: []measure.Contender{{Name: ours, Run: run}},
		Targets: []measure.Target{
			measure.Absolute(took, ours, " s", true, 30),
			measure.Absolute(memory, ours, " MiB", true, 100),
		},
	}
	return compare(ctx, b, c, tell)
}

const took = "took"

func (w *world) importing(ctx context.Context, b Bench, offset, addresses int) (measure.Sample, error) {
	file := filepath.Join(b.Stand.Dir, "eligible.csv")
	if err := writeFile(file, offset, addresses); err != nil {
		return measure.Sample{}, err
	}
	pids := map[string]int{"otp-gateway": w.suite.Program("otp-gateway").PID(), "otp": w.suite.Program("otp").PID()}
	before := newGauge(pids, time.Hour)
	rest, err := before.end()
	if err != nil {
		return measure.Sample{}, err
	}
	began := time.Now()
	command, err := b.Stand.Command("matriq", b.Stand.Binary("matriq"), map[string]string{"OTP_URL": w.suite.URL("otp-gateway")}, "import", file)
	if err != nil {
		return measure.Sample{}, err
	}
	pids["matriq import"] = command.PID()
	g := newGauge(pids, 100*time.Millisecond)
	if err := command.Wait(ctx); err != nil {
		return measure.Sample{}, err
	}
	elapsed := time.Since(began)
	readings, err := g.end()
	if err != nil {
		return measure.Sample{}, err
	}
	return importSample(addresses, elapsed, readings, rest[0]), nil
}

// importSample has the most that a process had.
func importSample(addresses int, elapsed time.Duration, readings []reading, before reading) measure.Sample {
	s := measure.Sample{Count: addresses}
	s.Add(took, "s", elapsed.Seconds())
	most := map[string]float64{}
	largest := 0.0
	for _, r := range readings {
		for name, m := range r.memory {
			most[name] = max(most[name], m)
			largest = max(largest, m)
		}
	}
	s.Add(memory, "MiB", largest)
	for _, name := range []string{"matriq import", "otp-gateway", "otp"} {
		s.Add(name, "MiB", most[name])
		if at, ok := before.memory[name]; ok {
			s.Add(name+" before", "MiB", at)
		}
	}
	return s
}

func writeFile(name string, offset, addresses int) error {
	file, err := os.Create(name) //nolint:gosec // G304: in the stand's own folder
	if err != nil {
		return err
	}
	if err := writeList(file, offset, addresses); err != nil {
		_ = file.Close() // the list is of no use
		return err
	}
	return file.Close()
}
