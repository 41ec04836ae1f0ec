package procfs

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// interval is how often a [Watch] looks.
const interval = 250 * time.Millisecond

// Names says whose the processes of the bench are. A process that is not named
// counts for the nearest of its ancestors that is; where there is none, it is
// foreign.
type Names map[int]string

// Usage is who used the processor between the start and the end of a watch.
type Usage struct {
	Elapsed time.Duration
	// Own is the time by the names of [Names].
	Own map[string]time.Duration
	// Kernel is the time of the kernel's threads.
	Kernel time.Duration
	// Foreign is the time of everybody else, by the name of the program; [OtherMachines]
	// for what is not of this machine.
	Foreign map[string]time.Duration
}

// OtherMachines are those on the same hypervisor.
const OtherMachines = "other machines"

// ForeignCores is how many cores were busy with work that is not the bench's.
func (u Usage) ForeignCores() float64 {
	var all time.Duration
	for _, used := range u.Foreign {
		all += used
	}
	return all.Seconds() / u.Elapsed.Seconds()
}

// Busiest names the foreign program that used most, "" if there is none.
func (u Usage) Busiest() string {
	names := slices.Collect(maps.Keys(u.Foreign))
	if len(names) == 0 {
		return ""
	}
	return slices.MaxFunc(names, func(a, b string) int { return int(u.Foreign[a] - u.Foreign[b]) })
}

// Watch looks at the processes of the machine until [Watch.End].
type Watch struct {
	root   string
	names  Names
	began  time.Time
	seen   map[int]process
	stolen time.Duration // at the begin
	owners map[int]owner
	usage  Usage
	err    error

	stop chan struct{}
	done sync.WaitGroup
}

// owner is whose a process is; the name is empty for a foreign one.
type owner struct {
	name string
	born uint64
}

// Begin starts to watch.
func Begin(names Names) (*Watch, error) { return begin("/proc", names) }

func begin(root string, names Names) (*Watch, error) {
	w := &Watch{
		root: root, names: maps.Clone(names), began: time.Now(), owners: map[int]owner{}, stop: make(chan struct{}),
		usage: Usage{Own: map[string]time.Duration{}, Foreign: map[string]time.Duration{}},
	}
	var err error
	if w.stolen, err = stolen(root); err != nil {
		return nil, err
	}
	if w.seen, err = processes(root); err != nil {
		return nil, err
	}
	for _, p := range w.seen {
		w.ownerOf(p, w.seen)
	}
	w.done.Go(w.run)
	return w, nil
}

func (w *Watch) run() {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.look()
		case <-w.stop:
			w.look()
			return
		}
	}
}

// look adds what each process used since the last look.
func (w *Watch) look() {
	now, err := processes(w.root)
	if err != nil {
		w.err = err
		return
	}
	for pid, p := range now {
		used := p.cpu
		if before, ok := w.seen[pid]; ok && before.born == p.born {
			used -= before.cpu
		}
		w.add(p, used, now)
	}
	w.seen = now
}

func (w *Watch) add(p process, used time.Duration, now map[int]process) {
	if p.isKernel() {
		w.usage.Kernel += used
		return
	}
	if name := w.ownerOf(p, now); name != "" {
		w.usage.Own[name] += used
		return
	}
	if used > 0 {
		w.usage.Foreign[p.name] += used
	}
}

// ownerOf looks upward from p once; an orphan stays with its first owner.
func (w *Watch) ownerOf(p process, now map[int]process) string {
	if known, ok := w.owners[p.pid]; ok && known.born == p.born {
		return known.name
	}
	name := ""
	for at, ok := p, true; ok && name == ""; at, ok = now[at.parent] {
		name = w.names[at.pid]
	}
	w.owners[p.pid] = owner{name: name, born: p.born}
	return name
}

// End looks a last time and tells who used what.
func (w *Watch) End() (Usage, error) {
	close(w.stop)
	w.done.Wait()
	w.usage.Elapsed = time.Since(w.began)
	if w.err != nil {
		return w.usage, fmt.Errorf("watch processes: %w", w.err)
	}
	now, err := stolen(w.root)
	if err != nil {
		return w.usage, err
	}
	// Of less than a look a hundredth of a second would be much.
	if now > w.stolen && w.usage.Elapsed >= interval {
		w.usage.Foreign[OtherMachines] = now - w.stolen
	}
	return w.usage, nil
}
