namespace Coppice.Live.Witness;

/// <summary>The files of the witness guest, which <c>lab/guest/build</c> makes.</summary>
public static class WitnessGuest
{
    public const string PortName = "org.coppice.witness";

    public static string Folder { get; } =
        Environment.GetEnvironmentVariable("COPPICE_LAB") ?? Path.Combine(RepositoryRoot(), "lab", "out");

    public static string KernelPath => Path.Combine(Folder, "vmlinuz");

    public static string InitrdPath => Path.Combine(Folder, "initrd.img");

    public static string KernelCommandLine => File.ReadAllText(Path.Combine(Folder, "cmdline")).Trim();

    /// <summary>Why the guest cannot be started, or null.</summary>
    public static string? Missing =>
        File.Exists(KernelPath) && File.Exists(InitrdPath)
            ? null
            : $"The witness guest is not in {Folder}: run lab/guest/build.";

    /// <summary>The folder of the solution, above the one that the tests run from.</summary>
    public static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Coppice.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException(
            $"No folder above {AppContext.BaseDirectory} holds Coppice.slnx; set COPPICE_LAB to the folder of the guest.");
    }
}
