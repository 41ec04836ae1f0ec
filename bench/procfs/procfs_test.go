package procfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// machine is a /proc with processes that a test moves on.
type machine struct {
	t    *testing.T
	root string
}

func (m machine) put(pid, parent int, name string, userTicks, systemTicks int) {
	m.t.Helper()
	dir := filepath.Join(m.root, fmt.Sprint(pid))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		m.t.Fatal(err)
	}
	line := fmt.Sprintf("%d (%s) S %d 1 1 0 -1 4194304 1 2 3 4 %d %d 9 9 20 0 1 0 %d 5 6\n", pid, name, parent, userTicks, systemTicks, 1000+pid)
	if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(line), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// steal is what the hypervisor gave to other machines.
func (m machine) steal(ticks int) {
	m.t.Helper()
	lines := fmt.Sprintf("cpu  10 20 30 40 50 60 70 %d 80 90\ncpu0 1 2 3 4 5 6 7 8 9 10\n", ticks)
	if err := os.WriteFile(filepath.Join(m.root, "stat"), []byte(lines), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func TestWatch_TellsOwnFromForeign(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := machine{t, t.TempDir()}
		m.steal(7)
		m.put(1, 0, "init", 50, 50)
		m.put(10, 1, "bench", 100, 0)
		m.put(11, 10, "beam.smp", 200, 100)
		m.put(12, 11, "a (very) odd name", 5, 5)
		m.put(30, 2, "kworker/0:1", 7, 0)
		w, err := begin(m.root, Names{10: "driver", 11: "rabbitmq"})
		if err != nil {
			t.Fatal(err)
		}
		m.steal(17)
		m.put(10, 1, "bench", 110, 0)
		m.put(11, 10, "beam.smp", 220, 130)
		m.put(12, 11, "a (very) odd name", 6, 5)
		m.put(30, 2, "kworker/0:1", 9, 0)
		m.put(40, 1, "compile", 60, 20)
		time.Sleep(time.Second) //nolint:forbidigo // in a bubble: the time is the bubble's
		synctest.Wait()
		if err := os.RemoveAll(filepath.Join(m.root, "40")); err != nil {
			t.Fatal(err)
		}
		usage, err := w.End()
		if err != nil {
			t.Fatal(err)
		}
		want := Usage{
			Elapsed: time.Second,
			Own:     map[string]time.Duration{"driver": 100 * time.Millisecond, "rabbitmq": 510 * time.Millisecond},
			Kernel:  20 * time.Millisecond,
			Foreign: map[string]time.Duration{"compile": 800 * time.Millisecond, OtherMachines: 100 * time.Millisecond},
		}
		if fmt.Sprint(usage) != fmt.Sprint(want) {
			t.Errorf("usage is %v, want %v", usage, want)
		}
		if got := usage.ForeignCores(); got != 0.9 {
			t.Errorf("foreign load is %v cores, want 0.9", got)
		}
		if got := usage.Busiest(); got != "compile" {
			t.Errorf("the busiest is %q, want compile", got)
		}
	})
}

// What the kernel says of this very process can be read.
func TestProcesses_OfThisMachine(t *testing.T) {
	t.Parallel()
	all, err := processes("/proc")
	if err != nil {
		t.Fatal(err)
	}
	me, ok := all[os.Getpid()]
	if !ok || me.parent != os.Getppid() {
		t.Errorf("this process is %+v, want parent %d", me, os.Getppid())
	}
	memory, err := Memory(os.Getpid())
	if err != nil || memory < 1<<20 {
		t.Errorf("this process has %d bytes, %v", memory, err)
	}
	if load, err := Load(); err != nil || load < 0 {
		t.Errorf("load is %v, %v", load, err)
	}
}
