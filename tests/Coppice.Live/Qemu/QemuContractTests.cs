using Coppice.Contracts;

namespace Coppice.Live.Qemu;

public sealed class QemuContractTests : HypervisorContract
{
    protected override IHypervisorBed Open() => new QemuBed();
}
