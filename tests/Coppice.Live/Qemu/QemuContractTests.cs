using System.Diagnostics;
using System.Globalization;
using Coppice.Contracts;
using Coppice.Core;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Qemu;

/// <summary>QEMU keeps what the fake keeps.</summary>
public sealed class QemuContractTests : HypervisorContract
{
    protected override IHypervisorBed Open() => new Bed();

    private sealed class Bed : IHypervisorBed
    {
        private readonly QemuBed _bed = new();

        public IHypervisor Hypervisor => _bed.Hypervisor;

        public DomainFolder Folder => _bed.Folder;

        public DomainDefinition Definition => _bed.Definition;

        public Layer Base => _bed.Base;

        public ShortId NewProcess() => _bed.NewProcess();

        public MemoryImage NewMemory() => _bed.NewMemory();

        public Layer NewOverlay(Layer below) => _bed.NewOverlay(below);

        public bool Exists(MemoryImage memory) => File.Exists(memory.File);

        public async Task<long> CounterAsync(ShortId process) => await _bed.CounterAsync(process);

        public async Task KillAsync(ShortId process)
        {
            var pid = int.Parse(await File.ReadAllTextAsync(RunFolder.Of(_bed.Home, process).Pid), CultureInfo.InvariantCulture);
            using var killed = Process.GetProcessById(pid);
            killed.Kill();
            while ((await _bed.ObserveAsync(process)).IsAlive)
            {
                await Task.Delay(10);
            }
        }

        public ValueTask DisposeAsync() => _bed.DisposeAsync();
    }
}
