// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// ERC-721 and ERC-1155 in one contract for tests on a local chain, as little of both as a transfer
/// needs: anybody mints. README.md beside it says how TestPieces.hex was made.
contract TestPieces {
    string public constant symbol = "PIECES";

    mapping(uint256 => address) public ownerOf;
    mapping(address => mapping(uint256 => uint256)) private kinds;

    event Transfer(address indexed from, address indexed to, uint256 indexed id);
    event TransferSingle(
        address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value
    );

    function mint(address to, uint256 id) external {
        ownerOf[id] = to;
        emit Transfer(address(0), to, id);
    }

    function mint(address to, uint256 id, uint256 value) external {
        kinds[to][id] += value;
        emit TransferSingle(msg.sender, address(0), to, id, value);
    }

    function balanceOf(address owner, uint256 id) external view returns (uint256) {
        return kinds[owner][id];
    }

    function safeTransferFrom(address from, address to, uint256 id) external {
        require(from == msg.sender && ownerOf[id] == from, "not the owner");
        ownerOf[id] = to;
        emit Transfer(from, to, id);
    }

    function safeTransferFrom(address from, address to, uint256 id, uint256 value, bytes calldata data) external {
        require(from == msg.sender && kinds[from][id] >= value && data.length == 0, "not so many");
        kinds[from][id] -= value;
        kinds[to][id] += value;
        emit TransferSingle(msg.sender, from, to, id, value);
    }
}
