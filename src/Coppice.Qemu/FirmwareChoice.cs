using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Probing;

namespace Coppice.Qemu;

/// <summary>
/// Resolves what a definition leaves open of its UEFI firmware: the files of what is installed on the host, and the system
/// management mode that Secure Boot needs. What was decided before stays.
/// </summary>
/// <param name="folders">The folders with descriptors, most important first.</param>
internal sealed class FirmwareChoice(ImmutableArray<string> folders)
{
    /// <summary>The definition with its machine type and all that is to be known of its firmware.</summary>
    /// <exception cref="CoppiceException">
    /// None suits, the one that is named is not there, or it contradicts the rest of the definition.
    /// </exception>
    public DomainDefinition Fill(DomainDefinition definition, string machine)
    {
        var firmware = definition.Os.Firmware is { } asked ? Complete(asked, definition, machine) : null;
        var needsManagementMode = firmware?.Secure is true;
        return definition with
        {
            Os = definition.Os with { Machine = machine, Firmware = firmware },
            ManagementMode = needsManagementMode ? true : definition.ManagementMode,
        };
    }

    private FirmwareSettings Complete(FirmwareSettings asked, DomainDefinition definition, string machine)
    {
        var subject = $"UEFI firmware of domain '{definition.Name}'";
        if (asked.Secure is true && definition.ManagementMode is false)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, subject, "only code in system management mode may write its variables, and <smm> is off",
                "write <smm state='on'/>, or secure='no' on <loader>");
        }

        var installed = FirmwareDescriptor.ReadAll(folders);
        var complete = asked is { Code: not null, Template: not null } ? asked : Choose(installed, asked, definition, machine, subject);
        if (!File.Exists(complete.Code))
        {
            throw new CoppiceException(
                ErrorKind.NotFound, subject, $"{complete.Code} is not there", "install the package ovmf, or correct <loader>");
        }

        return complete.Variables is { } variables && IsOfFirmware(variables, complete, installed)
            ? throw new CoppiceException(
                ErrorKind.InvalidInput, subject, $"its variables would be written to {variables}, which comes with the firmware",
                "give <nvram> a path of the domain's own, or none")
            : complete;
    }

    /// <summary>Whether a path leads, by whatever name, to a file that guests share.</summary>
    private static bool IsOfFirmware(string path, FirmwareSettings firmware, ImmutableArray<FirmwareDescriptor> installed)
    {
        var shared = installed.SelectMany(f => new[] { f.Code, f.Template })
            .Append(firmware.Code!).Append(firmware.Template ?? firmware.Code!).ToArray();
        return shared.Contains(path)
            || (FileSystem.Look(path)?.Identity is { } identity && shared.Any(s => FileSystem.Look(s)?.Identity == identity));
    }

    private FirmwareSettings Choose(
        ImmutableArray<FirmwareDescriptor> installed, FirmwareSettings asked, DomainDefinition definition, string machine, string subject)
    {
        if (asked.Code is { } code)
        {
            return asked with { Template = installed.FirstOrDefault(f => f.Code == code)?.Template };
        }

        var chosen = installed.FirstOrDefault(f => f.Suits(definition, machine)) ?? throw new CoppiceException(
            ErrorKind.MissingCapability, subject,
            $"no installed firmware suits {FirmwareDescriptor.Wanted(definition, machine)} (looked in {string.Join(" and ", folders)})",
            "install the package ovmf, or name the files in <loader> and <nvram template='…'>");
        return asked with
        {
            Code = chosen.Code,
            Template = asked.Template ?? chosen.Template,
            Secure = asked.Secure ?? (chosen.NeedsManagementMode ? true : null),
        };
    }
}
