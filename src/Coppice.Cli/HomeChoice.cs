using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli;

/// <summary>Which home and which hypervisor a command is about.</summary>
internal static class HomeChoice
{
    private const string LocalQemu = "qemu:///";

    /// <summary>Opens a home. Nothing is read, made or probed yet.</summary>
    public static Home Open(HomeFolder folder, Drivers drivers, Surroundings surroundings) => Home.Open(new HomeOptions
    {
        Path = folder.Path,
        Hypervisor = drivers.Hypervisor,
        Storage = drivers.Storage,
        Time = surroundings.Time,
        Ids = surroundings.Ids,
    });

    /// <summary>The home that was named, or the usual one.</summary>
    public static HomeFolder Folder(string? named, Surroundings surroundings) =>
        Folder(named, surroundings.Variable, Environment.IsPrivilegedProcess);

    public static HomeFolder Folder(string? named, Func<string, string?> variable, bool isRoot)
    {
        var path = named ?? variable("COPPICE_HOME") ?? (isRoot ? "/var/lib/coppice" : $"{UserData(variable)}/coppice");
        return path.Length > 0
            ? new HomeFolder(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)))
            : throw new CoppiceException(ErrorKind.InvalidInput, "--home", "is empty", "name a folder");
    }

    /// <summary>Refuses every connection but the built-in hypervisor.</summary>
    public static void CheckConnect(string? uri)
    {
        if (uri is not null && !uri.StartsWith(LocalQemu, StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability,
                $"--connect '{Printable.Line(uri)}'",
                "no driver for it is built in yet",
                $"leave it out, or use {LocalQemu}system");
        }
    }

    private static string UserData(Func<string, string?> variable)
    {
        // The specification says that a relative path is to be ignored.
        if (variable("XDG_DATA_HOME") is { } data && Path.IsPathRooted(data))
        {
            return data;
        }

        return variable("HOME") is { } home
            ? $"{home}/.local/share"
            : throw new CoppiceException(ErrorKind.InvalidInput, "the home", "neither HOME nor XDG_DATA_HOME is set", "name a folder with --home");
    }
}
