using Coppice.Contracts;

namespace Coppice.Live.Qemu;

public sealed class QemuContractTests : HypervisorContract
{
    protected override IHypervisorBed Open() => new QemuBed();
}

/// <summary>The driver's contract on QEMU 10.0.</summary>
public sealed class BackportsContractTests : HypervisorContract
{
    protected override IHypervisorBed Open() => new QemuBed(qemu: QemuPrograms.Backports);
}

/// <summary>The pause on QEMU 10.0, which refuses more of what follows a migration.</summary>
public sealed class BackportsCheckpointTests : QemuCheckpointTests
{
    protected override string Qemu => QemuPrograms.Backports;
}
