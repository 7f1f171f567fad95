using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// The variables of UEFI firmware: a file that the definition names, or one in the domain's folder. What is not there is made
/// from the firmware's template; it goes with the domain if nobody gave it a place.
/// </summary>
internal sealed class FirmwareVariables(IStorage storage, IdSource ids)
{
    // QEMU gives both flash chips of a board no more, in whole pages.
    private const long MaximumBytes = 8 << 20, PageBytes = 4096;

    /// <summary>
    /// A definition with what the one before it decided, where it leaves that open again: the same firmware, and the variables
    /// that were made for it.
    /// </summary>
    public static DomainDefinition Kept(DomainDefinition definition, DomainDefinition before)
    {
        if (definition.Os.Firmware is not { } asked || before.Os.Firmware is not { } had)
        {
            return definition;
        }

        var firmware = asked is { IsChosen: true, Code: null } && had.IsChosen && asked.Features == had.Features
            ? asked with { Code = had.Code, Template = asked.Template ?? had.Template, Secure = asked.Secure ?? had.Secure }
            : asked;
        return firmware.Variables is null && firmware.Code == had.Code
            ? With(definition, firmware with { Variables = had.Variables, VariablesFormat = had.VariablesFormat })
            : With(definition, firmware);
    }

    /// <summary>
    /// The definition with a place for the variables: the one that it names, or a new one in the domain's folder.
    /// </summary>
    public static DomainDefinition Placed(DomainDefinition definition, DomainFolder folder, IdSource ids) =>
        definition.Os.Firmware is { Code: not null, Variables: null } firmware
            ? With(definition, firmware with { Variables = $"{Place(folder)}{DiskDevice.FlashTarget}.{ids.NextShort()}.fd" })
            : definition;

    /// <summary>The layer of variables that have to be made; null if they are there, or there are none.</summary>
    /// <exception cref="CoppiceException">No template is known, or it is none.</exception>
    public async Task<Layer?> MissingAsync(DomainDefinition definition, DomainFolder folder, CancellationToken cancellation)
    {
        if (definition is not { Os.Firmware: { Variables: { } path } firmware } || await IsThereAsync(path, cancellation).ConfigureAwait(false))
        {
            return null;
        }

        var chip = definition.DisksAndFlash[^1];
        var subject = $"firmware variables {path} of domain '{definition.Name}'";
        if (path.StartsWith($"{folder.Home.Path}/", StringComparison.Ordinal) && !path.StartsWith(Place(folder), StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.Forbidden, subject, "would be made among what Coppice keeps", "name another place, or none");
        }

        var template = firmware.Template ?? throw new CoppiceException(
            ErrorKind.NotFound, subject, "are not there, and it is not known what to make them from",
            "add template='…' to <nvram>, for instance /usr/share/OVMF/OVMF_VARS_4M.fd");
        var found = await storage.DiscoverAsync(chip with { Source = template, Format = ImageFormat.Raw }, cancellation).ConfigureAwait(false);
        return found[0] with
        {
            Id = ids.NextShort(),
            Path = path,
            Format = chip.Format,
            Origin = path.StartsWith(Place(folder), StringComparison.Ordinal) ? LayerOrigin.Coppice : LayerOrigin.User,
        };
    }

    /// <summary>Refuses variables that no flash chip can hold.</summary>
    /// <exception cref="CoppiceException">They are too large, or not in whole pages
    /// (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static void RequireChip(DomainDefinition definition, IEnumerable<Layer> tops)
    {
        if (tops.FirstOrDefault(l => l.Disk == DiskDevice.FlashTarget) is { VirtualSize.Bytes: var size }
            && (size is 0 or > MaximumBytes || size % PageBytes != 0))
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"firmware variables of domain '{definition.Name}'",
                $"have {size} bytes, and a flash chip holds up to {MaximumBytes}, in whole pages of {PageBytes}",
                "name a file that comes from the firmware's template");
        }
    }

    private static string Place(DomainFolder folder) => $"{folder.Images(DiskDevice.FlashTarget)}/";

    private static DomainDefinition With(DomainDefinition definition, FirmwareSettings firmware) =>
        definition with { Os = definition.Os with { Firmware = firmware } };

    private async Task<bool> IsThereAsync(string path, CancellationToken cancellation) =>
        (await storage.ObserveFilesAsync([path], cancellation).ConfigureAwait(false)).Count > 0;
}
