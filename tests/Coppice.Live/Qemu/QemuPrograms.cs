using Coppice.Live.Witness;
using Coppice.Qemu.Probing;

namespace Coppice.Live.Qemu;

/// <summary>The QEMU programs that guests run on.</summary>
public static class QemuPrograms
{
    /// <summary>The one in <c>PATH</c>, as for every user; <c>make test QEMU=…</c> puts another one there.</summary>
    public const string Usual = "qemu-system-x86_64";

    /// <summary>QEMU 10.0 beside it, which <c>build/qemu-backports</c> fetches.</summary>
    public static string Backports { get; } =
        Path.Combine(WitnessGuest.RepositoryRoot(), "artifacts", "qemu-10.0", "bin", "qemu-system-x86_64");

    /// <summary>Skips the test, with the reason, where a program is not there.</summary>
    public static void Require(string program)
    {
        var isThere = program == Usual
            ? SearchPath.Find(Usual) is not null
            : File.Exists(program);
        Assert.SkipUnless(isThere, program == Usual
            ? "QEMU is not installed: apt-get install qemu-system-x86 qemu-utils"
            : $"{program} is not there: run build/qemu-backports, which also says why it cannot be");
    }

    /// <summary>Skips the test where there is nothing that emulates TPMs.</summary>
    public static void RequireTpm() => Assert.SkipWhen(
        SearchPath.Find("swtpm") is null || SearchPath.Find("swtpm_setup") is null,
        "the TPM emulator is not installed: apt-get install swtpm swtpm-tools");
}
