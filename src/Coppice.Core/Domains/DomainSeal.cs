namespace Coppice.Core;

/// <summary>The part of the seal that needs no hypervisor.</summary>
public static class DomainSeal
{
    /// <summary>The last port of a virtio-serial controller.</summary>
    internal const int HighestVirtioSerialPort = 30;
}
