using Coppice.Core;

namespace Coppice.Qemu;

/// <summary>What this hypervisor cannot do: refused while it is planned.</summary>
internal static class Refusals
{
    /// <summary>Refuses a definition that cannot be run as it says.</summary>
    public static void RequireKnown(LaunchRequest request)
    {
        var definition = request.Definition;
        if (definition.Obstacles is [var obstacle, ..])
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"<{obstacle.Path}> of domain '{definition.Name}'",
                obstacle.Reason, obstacle.NextStep);
        }

        if (definition.OnPowerOff is LifecycleAction.Restart or LifecycleAction.RenameRestart)
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"<on_poweroff> of domain '{definition.Name}'",
                "nobody is there to start the guest again when it has powered off", "use destroy or preserve");
        }

        if (definition.Tpm is not null && request.Tpm is null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"<devices/tpm> of domain '{definition.Name}'", "has nothing that it keeps",
                "define the domain again with what dumpxml prints");
        }
    }

    /// <summary>Refuses to keep the memory of a guest that sleeps.</summary>
    public static void RequireSavable(DomainState state, bool memory)
    {
        if (memory && state is DomainState.Suspended)
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, "a guest that sleeps", "QEMU cannot keep its memory", "wake it first");
        }
    }

    /// <summary>
    /// Only a guest that runs can freeze and thaw; memory that is kept is frozen for ever if the file systems are.
    /// </summary>
    public static void RequireQuiescable(CheckpointRequest request, DomainDefinition? quiesced)
    {
        if (quiesced is not null
            && (request.State, request.StaysPaused, request.Memory.Mode) is not (DomainState.Running, false, MemoryMode.None))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"the guest of domain '{quiesced.Name}'",
                "is quiesced only while it runs, goes on at once and its memory is not kept", "leave quiesce out");
        }
    }

    /// <summary>What a TPM keeps is read while the guest stands, and here QEMU lets it go on when it likes.</summary>
    public static void RequireRunsOn(CheckpointRequest request)
    {
        if (request is { RunsOn: true, TpmCopy: not null })
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, "the TPM of a guest that runs on", "cannot be kept with memory that is written meanwhile",
                "leave --live out, or use a memory volume (coppice pool create-memory), with which no checkpoint waits");
        }
    }

    /// <summary>Refuses memory on a device.</summary>
    public static void RequireFile(MemoryImage memory)
    {
        // /dev/shm is a folder of ordinary files.
        if (memory.File is { } file && Path.GetFullPath(file) is var path
            && path.StartsWith("/dev/", StringComparison.Ordinal) && !path.StartsWith("/dev/shm/", StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"device {file}", "memory on a device is not supported yet", "name a file");
        }
    }
}
